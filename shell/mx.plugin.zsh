# The zsh integration of mx: the function `mx` and its completion.
#
# Runs no program and prints nothing. The functions are loaded at their first
# use, by absolute path: fpath stays as it is. %x is this file under every
# option; the functions set the options that they need themselves, except _mx,
# which needs those of the completion system.
\builtin autoload -Uz \
  "${${(%):-%x}:A:h}/functions/mx" \
  "${${(%):-%x}:A:h}/functions/_mx_register" \
  "${${(%):-%x}:A:h:h}/completions/_mx"
_mx_register init
