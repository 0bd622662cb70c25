# The zsh integration of mx: the function `mx` and its completion.
#
# Runs no program and prints nothing. The functions are loaded at their first
# use, by absolute path: fpath stays as it is. %x is this file under every
# option; the functions set the options that they need themselves, except _mx,
# which needs those of the completion system, so that it must not be autoloaded
# below `emulate`. mx_plugin_unload takes back all that is done here; what it has
# to know is in the one parameter, _mx.
\builtin typeset -gA '_mx'
_mx[home]="${${(%):-%x}:A:h:h}"
\builtin autoload -Uz "${_mx[home]}/shell/functions/mx" \
  "${_mx[home]}/shell/functions/_mx_load" "${_mx[home]}/shell/functions/_mx_register" \
  "${_mx[home]}/shell/functions/mx_plugin_unload" "${_mx[home]}/completions/_mx"
\_mx_load
