# mx: runs the binary of the same name, and sets the limits that it asks for.
#
# Only `limits raise` asks: it writes directives to file descriptor 3, while
# stdout stays the caller's. Nothing that it writes is ever evaluated: each
# line must have one of two forms, or none is applied. Then the binary runs
# again, under the new limits, and says what became of them.
#
# fish has no subshells: what a pipe or a command substitution sets, it sets in
# the shell that the user sees.
function mx --description 'Short answers to what developers ask a machine'
    if not builtin command -sq mx
        builtin printf '%s\n' 'mx: cannot run: the program mx is not on PATH' \
            'hint: cargo install --path crates/mx, in a checkout of mx' >&2
        return 127
    end
    set -lx MX_INTEGRATION source
    set -l asked ''
    for word in $argv
        switch "$asked:$word"
            case :limits :l
                set asked limits
            case limits:raise
                set asked raise
                break
            case ':-*' :auto :always :never
                # Options may come before the command, and the value of --color.
            case ':*' '*:--'
                break
        end
    end
    if test "$asked" != raise
        command mx $argv
        return
    end

    MX_DIRECTIVES=fish command mx $argv 3>| builtin read -lz lines
    set -l code $pipestatus[1]
    if test $code != 0 -o -z "$lines"
        return $code
    end
    set -l limit '^ulimit\t([bcdefiklmnpqrstuvwxPRT])\t([0-9]{1,19}|unlimited)\t[a-z0-9_-]+$'
    set -l last '^raised\t([a-z0-9_= -]+)$'
    set -l settings
    set -l raised ''
    for line in (builtin string split \n -- (builtin string trim -rc \n -- $lines))
        if test -n "$raised"
            set raised ''
            break
        else if set -l found (builtin string match -r $limit -- $line)
            set -a settings -S$found[2] $found[3]
        else if set -l found (builtin string match -r $last -- $line)
            set raised $found[2]
        else
            break
        end
    end
    if test -z "$raised"
        set -l shown (builtin string sub -l 60 -- $line | builtin string escape)
        builtin printf '%s\n' "mx: cannot set limits: this is no directive: $shown" \
            'hint: mx setup fish brings function and program to one version' >&2
        return 3
    end
    while set -q settings[2]
        # An error that this prints is seen by the second run, too.
        builtin ulimit $settings[1] $settings[2]
        set -e settings[1..2]
    end
    MX_RAISED=$fish_pid:$raised command mx $argv
end
