# Completion of mx for fish. Generated from the definitions of the commands.

# __mx_at KIND PATH [FIRST [LAST]]: whether an option, a command or an argument
# of the command PATH can stand here; an argument only from the FIRST to the
# LAST place. `last` is the command line behind `--`.
function __mx_at -a kind wanted first last
    set -l path mx
    set -l position 0
    set -l helping no
    set -l skip no
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch "$path $word"
            case '* --'
                test $kind = last -a "$path" = "$wanted"
                return
            case 'mx ports' 'mx p'
                test $position = 0
                and set path 'mx ports'
                or set position (math $position + 1)
            case 'mx limits' 'mx l'
                test $position = 0
                and set path 'mx limits'
                or set position (math $position + 1)
            case 'mx copy' 'mx c'
                test $position = 0
                and set path 'mx copy'
                or set position (math $position + 1)
            case 'mx paste' 'mx v'
                test $position = 0
                and set path 'mx paste'
                or set position (math $position + 1)
            case 'mx setup'
                test $position = 0
                and set path 'mx setup'
                or set position (math $position + 1)
            case 'mx init'
                test $position = 0
                and set path 'mx init'
                or set position (math $position + 1)
            case 'mx help'
                set helping yes
            case 'mx --color'
                set skip yes
            case 'mx ports kill'
                test $position = 0
                and set path 'mx ports kill'
                or set position (math $position + 1)
            case 'mx ports wait'
                test $position = 0
                and set path 'mx ports wait'
                or set position (math $position + 1)
            case 'mx ports free'
                test $position = 0
                and set path 'mx ports free'
                or set position (math $position + 1)
            case 'mx ports watch'
                test $position = 0
                and set path 'mx ports watch'
                or set position (math $position + 1)
            case 'mx ports help'
                set helping yes
            case 'mx ports --user' 'mx ports --color'
                set skip yes
            case 'mx ports kill --signal' 'mx ports kill --grace' 'mx ports kill --color'
                set skip yes
            case 'mx ports wait --timeout' 'mx ports wait --interval' 'mx ports wait --color'
                set skip yes
            case 'mx ports free --count' 'mx ports free --range' 'mx ports free --color'
                set skip yes
            case 'mx ports watch --user' 'mx ports watch --interval' 'mx ports watch --color'
                set skip yes
            case 'mx limits raise'
                test $position = 0
                and set path 'mx limits raise'
                or set position (math $position + 1)
            case 'mx limits run'
                test $position = 0
                and set path 'mx limits run'
                or set position (math $position + 1)
            case 'mx limits set'
                test $position = 0
                and set path 'mx limits set'
                or set position (math $position + 1)
            case 'mx limits explain'
                test $position = 0
                and set path 'mx limits explain'
                or set position (math $position + 1)
            case 'mx limits check'
                test $position = 0
                and set path 'mx limits check'
                or set position (math $position + 1)
            case 'mx limits persist'
                test $position = 0
                and set path 'mx limits persist'
                or set position (math $position + 1)
            case 'mx limits help'
                set helping yes
            case 'mx limits --pid' 'mx limits --color'
                set skip yes
            case 'mx limits raise --color'
                set skip yes
            case 'mx limits run --color'
                set skip yes
            case 'mx limits set --pid' 'mx limits set --color'
                set skip yes
            case 'mx limits explain --color'
                set skip yes
            case 'mx limits check --color'
                set skip yes
            case 'mx limits persist --color'
                set skip yes
            case 'mx copy --via' 'mx copy --color'
                set skip yes
            case 'mx paste --via' 'mx paste --color'
                set skip yes
            case 'mx setup --color'
                set skip yes
            case 'mx init --color'
                set skip yes
            case '* -?*'
            case '*'
                set position (math $position + 1)
        end
    end
    test "$path" = "$wanted"
    or return
    switch $kind
        case command
            test $position = 0
        case option
            test $helping = no
        case argument
            test $helping = no -a $position -ge $first -a $position -le $last
        case '*'
            false
    end
end

# __mx_live NOUN: what `mx __complete NOUN` lists, also behind an address.
function __mx_live
    set -l address (commandline -ct | string match -r '.*:')
    for line in (command mx __complete $argv fish 2>/dev/null)
        if not set -q address[1]
            printf '%s\n' $line
        else if string match -qr '^[0-9]+\t' -- $line
            # Behind an address only a port can follow.
            printf '%s\n' $address$line
        end
    end
end

# __mx_command_line: completes the command line behind `--`.
function __mx_command_line
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C "$words "(commandline -ct)
end

complete -c mx -f
complete -c mx -n '__mx_at command "mx"' -a ports -d 'Show what is bound to a port, and by whom'
complete -c mx -n '__mx_at command "mx"' -a limits -d 'Show what limits a process, and how near it is'
complete -c mx -n '__mx_at command "mx"' -a copy -d 'Put text on the clipboard'
complete -c mx -n '__mx_at command "mx"' -a paste -d 'Print what is on the clipboard'
complete -c mx -n '__mx_at command "mx"' -a setup -d 'Install the shell integration, or remove it'
complete -c mx -n '__mx_at command "mx"' -a init -d 'Print the integration for a shell'
complete -c mx -n '__mx_at command "mx"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at option "mx"' -s V -l version -d 'Print version'
complete -c mx -n '__mx_at command "mx ports"' -a kill -d 'Free ports: end every process that is bound to them'
complete -c mx -n '__mx_at command "mx ports"' -a wait -d 'Wait until something serves every port, or until they are free'
complete -c mx -n '__mx_at command "mx ports"' -a free -d 'Print a port that a server can bind now'
complete -c mx -n '__mx_at command "mx ports"' -a watch -d 'Watch what is bound to ports, and by whom, as it changes'
complete -c mx -n '__mx_at command "mx ports"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx ports"' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports"' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports"' -l all -d 'Connected and closing sockets too'
complete -c mx -n '__mx_at option "mx ports"' -l user -x -k -a '(__fish_complete_users)' -d 'Only sockets of this user, a name or a number'
complete -c mx -n '__mx_at option "mx ports"' -l all-namespaces -d 'Sockets of other network namespaces too, as those of containers'
complete -c mx -n '__mx_at option "mx ports"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx ports"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx ports"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx ports"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx ports"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx ports"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx ports" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at option "mx ports kill"' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports kill"' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports kill"' -l signal -x -k -a '(__mx_live signals)' -d 'The signal to send first, a name or a number'
complete -c mx -n '__mx_at option "mx ports kill"' -l grace -x -d 'How long to wait for the ports to be free'
complete -c mx -n '__mx_at option "mx ports kill"' -l force -d 'Send KILL to what is left after that time'
complete -c mx -n '__mx_at option "mx ports kill"' -s y -l yes -d 'Do not ask'
complete -c mx -n '__mx_at option "mx ports kill"' -l dry-run -d 'Show what would be done, and do nothing'
complete -c mx -n '__mx_at option "mx ports kill"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx ports kill"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx ports kill"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx ports kill"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx ports kill"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx ports kill"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx ports kill" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at option "mx ports wait"' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports wait"' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports wait"' -l free -d 'Wait until nothing is bound any more'
complete -c mx -n '__mx_at option "mx ports wait"' -l timeout -x -d 'How long to wait'
complete -c mx -n '__mx_at option "mx ports wait"' -l interval -x -d 'How often to look'
complete -c mx -n '__mx_at option "mx ports wait"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx ports wait"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx ports wait"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx ports wait"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx ports wait"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx ports wait"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx ports wait" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at option "mx ports free"' -l count -x -d 'How many ports, all different'
complete -c mx -n '__mx_at option "mx ports free"' -l range -x -d 'Only ports of this range, all of them'
complete -c mx -n '__mx_at option "mx ports free"' -l udp -d 'For UDP instead of TCP'
complete -c mx -n '__mx_at option "mx ports free"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx ports free"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx ports free"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx ports free"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx ports free"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx ports free"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at option "mx ports watch"' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports watch"' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports watch"' -l all -d 'Connected and closing sockets too'
complete -c mx -n '__mx_at option "mx ports watch"' -l user -x -k -a '(__fish_complete_users)' -d 'Only sockets of this user, a name or a number'
complete -c mx -n '__mx_at option "mx ports watch"' -l all-namespaces -d 'Sockets of other network namespaces too, as those of containers'
complete -c mx -n '__mx_at option "mx ports watch"' -l interval -x -d 'How often to look'
complete -c mx -n '__mx_at option "mx ports watch"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx ports watch"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx ports watch"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx ports watch"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx ports watch"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx ports watch"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx ports watch" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at command "mx limits"' -a raise -d 'Raise limits of this shell'
complete -c mx -n '__mx_at command "mx limits"' -a run -d 'Run a command with other limits'
complete -c mx -n '__mx_at command "mx limits"' -a set -d 'Change the limits of a running process'
complete -c mx -n '__mx_at command "mx limits"' -a explain -d 'Find the limit behind an error message'
complete -c mx -n '__mx_at command "mx limits"' -a check -d 'Check whether there is enough for a kind of work'
complete -c mx -n '__mx_at command "mx limits"' -a persist -d 'Raise limits in every new shell'
complete -c mx -n '__mx_at command "mx limits"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx limits"' -l pid -x -d 'The limits of this process, and what it uses'
complete -c mx -n '__mx_at option "mx limits"' -l all -d 'Every limit'
complete -c mx -n '__mx_at option "mx limits"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits" 0 9999' -k -a '(__mx_live limits)'
complete -c mx -n '__mx_at option "mx limits raise"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits raise"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits raise"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits raise"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits raise"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits raise"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits raise" 0 9999' -k -a '(__mx_live limit-values)'
complete -c mx -n '__mx_at option "mx limits run"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits run"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits run"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits run"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits run"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits run"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits run" 0 9999' -k -a '(__mx_live limit-values)'
complete -c mx -n '__mx_at last "mx limits run"' -k -a '(__mx_command_line)'
complete -c mx -n '__mx_at option "mx limits set"' -l pid -x -d 'The process'
complete -c mx -n '__mx_at option "mx limits set"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits set"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits set"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits set"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits set"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits set"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits set" 0 9999' -k -a '(__mx_live limit-values)'
complete -c mx -n '__mx_at option "mx limits explain"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits explain"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits explain"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits explain"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits explain"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits explain"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at option "mx limits check"' -l template -d 'Print the file of the built-in profiles, to begin your own with'
complete -c mx -n '__mx_at option "mx limits check"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits check"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits check"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits check"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits check"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits check"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits check" 0 0' -k -a '(__mx_live profiles)'
complete -c mx -n '__mx_at option "mx limits persist"' -l dry-run -d 'Print what would change, and change nothing'
complete -c mx -n '__mx_at option "mx limits persist"' -l undo -d 'Remove what is kept'
complete -c mx -n '__mx_at option "mx limits persist"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx limits persist"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx limits persist"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx limits persist"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx limits persist"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx limits persist"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx limits persist" 0 9999' -k -a '(__mx_live limit-values)'
complete -c mx -n '__mx_at option "mx copy"' -s n -l trim -d 'Leave out a newline at the end'
complete -c mx -n '__mx_at option "mx copy"' -l secret -d 'Ask clipboard managers not to keep it'
complete -c mx -n '__mx_at option "mx copy"' -l primary -d 'The primary selection: what is selected, and pasted by the middle mouse button'
complete -c mx -n '__mx_at option "mx copy"' -l via -x -k -a 'x11\\t"The X server of DISPLAY" wayland\\t"The compositor of WAYLAND_DISPLAY" macos\\t"The pasteboard of macOS" tmux\\t"The buffer of tmux, and the terminal behind it" screen\\t"The terminal behind screen" osc52\\t"The terminal, by the escape sequence OSC 52"' -d 'Only this way, instead of the first that works'
complete -c mx -n '__mx_at option "mx copy"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx copy"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx copy"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx copy"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx copy"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx copy"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx copy" 0 9999' -F
complete -c mx -n '__mx_at option "mx paste"' -l types -d 'List the types that it can be pasted as'
complete -c mx -n '__mx_at option "mx paste"' -l primary -d 'The primary selection: what is selected, and pasted by the middle mouse button'
complete -c mx -n '__mx_at option "mx paste"' -l via -x -k -a 'x11\\t"The X server of DISPLAY" wayland\\t"The compositor of WAYLAND_DISPLAY" macos\\t"The pasteboard of macOS" tmux\\t"The buffer of tmux, and the terminal behind it" screen\\t"The terminal behind screen" osc52\\t"The terminal, by the escape sequence OSC 52"' -d 'Only this way, instead of the first that works'
complete -c mx -n '__mx_at option "mx paste"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx paste"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx paste"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx paste"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx paste"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx paste"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at option "mx setup"' -l dry-run -d 'Print what would change, and change nothing'
complete -c mx -n '__mx_at option "mx setup"' -l uninstall -d 'Remove the integration'
complete -c mx -n '__mx_at option "mx setup"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx setup"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx setup"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx setup"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx setup"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx setup"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx setup" 0 0' -k -a 'zsh\\t"The Z shell" bash\\t"The Bourne-again shell, from version 3.2" fish\\t"The friendly interactive shell"'
complete -c mx -n '__mx_at option "mx init"' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "mx init"' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "mx init"' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "mx init"' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "mx init"' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "mx init"' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at argument "mx init" 0 0' -k -a 'zsh\\t"The Z shell" bash\\t"The Bourne-again shell, from version 3.2" fish\\t"The friendly interactive shell"'
