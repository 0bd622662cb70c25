# Plugin managers look for this file. One that evaluates its text, instead of
# sourcing it, names it in ZERO.
\builtin source "${${${(M)${${(%):-%x}:A}:#*/mx.plugin.zsh}:-${ZERO-}}:A:h}/shell/mx.plugin.zsh"
