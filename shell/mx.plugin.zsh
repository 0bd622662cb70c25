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
\builtin autoload -Uz "${_mx[home]}/shell/functions/_mx_load" \
  "${_mx[home]}/shell/functions/_mx_register" \
  "${_mx[home]}/shell/functions/mx_plugin_unload" "${_mx[home]}/completions/_mx"
# Under options of its own, and without aliases: neither may break it. The attribute
# W, which functions never have, tells without a word whether there is one. The file of
# mx may be gone at its first use: then mx is the program.
\builtin emulate zsh -o no_aliases -c 'builtin functions +W mx || function mx {'\
' builtin emulate -L zsh; builtin trap - ZERR; builtin unfunction mx;'\
' if [[ -r ${_mx[home]-}/shell/functions/mx ]]; then'\
' builtin autoload -Uz $_mx[home]/shell/functions/mx;'\
' elif [[ ${_comps[mx]-} == _mx ]]; then builtin unset "_comps[mx]"; fi;'\
' if mx "$@"; then; else return; fi }'\
'; [[ -v precmd_functions ]] || _mx[precmd]=new'\
'; builtin typeset -ga precmd_functions; precmd_functions+=(_mx_register)'\
'; if [[ -v _comps ]] || builtin functions +W compdef ||'\
' { builtin zmodload -e zsh/zle && builtin zle; }; then _mx[late]=1; fi'
# Not below `emulate`, either: it would fix the options of what is autoloaded.
\builtin test -z "${_mx[late]-}" || \_mx_load
