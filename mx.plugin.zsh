\builtin source "${${(%):-%x}:A:h}/shell/mx.plugin.zsh"
