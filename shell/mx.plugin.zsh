# The zsh integration of mx: the function `mx` and its completion.
#
# Runs no program and prints nothing. The functions are loaded at their first
# use, by absolute path: fpath stays as it is. %x is this file under every
# option; the functions set the options that they need themselves, except _mx,
# which needs those of the completion system.
\builtin typeset -g _mx_home="${${(%):-%x}:A:h:h}"
\builtin autoload -Uz "$_mx_home/shell/functions/mx" \
  "$_mx_home/shell/functions/_mx_register" "$_mx_home/completions/_mx"
\builtin typeset -ga precmd_functions
precmd_functions+=(_mx_register)
if [[ -v _comps ]]; then
  \compdef _mx mx
fi
