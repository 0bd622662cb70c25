# Completion of mx for fish. Generated from the definitions of the commands.

# __mx_parse: reads what is typed before the cursor, once for all conditions:
# the command, how many arguments it has, the options given, and what can follow.
function __mx_parse
    set -l line (commandline -cp)
    test "$line" = "$__mx_line"
    and return
    set -g __mx_line $line
    set -l path mx
    set -l position 0
    # What can follow: anything, only arguments (literal), the command line
    # behind `--` (last), names of commands (help), or nothing (none).
    set -l follows any
    set -l given
    set -l skip no
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = yes
            set skip no
        else if test $follows = literal
            set position (math $position + 1)
        else if test "$word" = --
            set follows literal
            switch $path
                case 'mx ports wait'
                    set follows last
                case 'mx limits run'
                    set follows last
            end
            test $follows = last
            and break
        else if string match -qr -- '^-.' $word
            set -a given (string replace -r '=.*' '' -- $word)
            string match -qr -- '^-[^-].' $word
            and set -a given -(string sub -s 2 -- $word | string split '')
            switch "$path $word"
                case 'mx --color'
                    set skip yes
                case 'mx -h' 'mx --help' 'mx -V' 'mx --version'
                    set follows none
                case 'mx ports --color' 'mx ports --user'
                    set skip yes
                case 'mx ports -h' 'mx ports --help'
                    set follows none
                case 'mx ports kill --color' 'mx ports kill -s' 'mx ports kill --signal' 'mx ports kill --grace' 'mx ports kill --user'
                    set skip yes
                case 'mx ports kill -h' 'mx ports kill --help'
                    set follows none
                case 'mx ports wait --color' 'mx ports wait --status' 'mx ports wait --timeout' 'mx ports wait --interval'
                    set skip yes
                case 'mx ports wait -h' 'mx ports wait --help'
                    set follows none
                case 'mx ports free --color' 'mx ports free --count' 'mx ports free --range'
                    set skip yes
                case 'mx ports free -h' 'mx ports free --help'
                    set follows none
                case 'mx ports watch --color' 'mx ports watch --user' 'mx ports watch --interval'
                    set skip yes
                case 'mx ports watch -h' 'mx ports watch --help'
                    set follows none
                case 'mx limits --color' 'mx limits --pid'
                    set skip yes
                case 'mx limits -h' 'mx limits --help'
                    set follows none
                case 'mx limits raise --color'
                    set skip yes
                case 'mx limits raise -h' 'mx limits raise --help'
                    set follows none
                case 'mx limits run --color'
                    set skip yes
                case 'mx limits run -h' 'mx limits run --help'
                    set follows none
                case 'mx limits set --color' 'mx limits set --pid'
                    set skip yes
                case 'mx limits set -h' 'mx limits set --help'
                    set follows none
                case 'mx limits explain --color' 'mx limits explain --pid' 'mx limits explain --unit'
                    set skip yes
                case 'mx limits explain -h' 'mx limits explain --help'
                    set follows none
                case 'mx limits check --color'
                    set skip yes
                case 'mx limits check -h' 'mx limits check --help'
                    set follows none
                case 'mx limits persist --color'
                    set skip yes
                case 'mx limits persist -h' 'mx limits persist --help'
                    set follows none
                case 'mx copy --color' 'mx copy --via' 'mx copy --timeout'
                    set skip yes
                case 'mx copy -h' 'mx copy --help'
                    set follows none
                case 'mx paste --color' 'mx paste --via' 'mx paste --timeout'
                    set skip yes
                case 'mx paste -h' 'mx paste --help'
                    set follows none
                case 'mx setup --color'
                    set skip yes
                case 'mx setup -h' 'mx setup --help'
                    set follows none
                case 'mx init --color'
                    set skip yes
                case 'mx init -h' 'mx init --help'
                    set follows none
            end
        else
            # A word may hold a blank, as "ports kill", which is no command.
            switch "$path/$word"
                case 'mx/ports' 'mx/p'
                    test $position = 0
                    and set path 'mx ports'
                    or set position (math $position + 1)
                case 'mx/limits' 'mx/l'
                    test $position = 0
                    and set path 'mx limits'
                    or set position (math $position + 1)
                case 'mx/copy' 'mx/c'
                    test $position = 0
                    and set path 'mx copy'
                    or set position (math $position + 1)
                case 'mx/paste' 'mx/v'
                    test $position = 0
                    and set path 'mx paste'
                    or set position (math $position + 1)
                case 'mx/setup'
                    test $position = 0
                    and set path 'mx setup'
                    or set position (math $position + 1)
                case 'mx/init'
                    test $position = 0
                    and set path 'mx init'
                    or set position (math $position + 1)
                case 'mx/help'
                    set follows help
                case 'mx ports/kill'
                    test $position = 0
                    and set path 'mx ports kill'
                    or set position (math $position + 1)
                case 'mx ports/wait'
                    test $position = 0
                    and set path 'mx ports wait'
                    or set position (math $position + 1)
                case 'mx ports/free'
                    test $position = 0
                    and set path 'mx ports free'
                    or set position (math $position + 1)
                case 'mx ports/watch'
                    test $position = 0
                    and set path 'mx ports watch'
                    or set position (math $position + 1)
                case 'mx ports/help'
                    set follows help
                case 'mx limits/raise'
                    test $position = 0
                    and set path 'mx limits raise'
                    or set position (math $position + 1)
                case 'mx limits/run'
                    test $position = 0
                    and set path 'mx limits run'
                    or set position (math $position + 1)
                case 'mx limits/set'
                    test $position = 0
                    and set path 'mx limits set'
                    or set position (math $position + 1)
                case 'mx limits/explain'
                    test $position = 0
                    and set path 'mx limits explain'
                    or set position (math $position + 1)
                case 'mx limits/check'
                    test $position = 0
                    and set path 'mx limits check'
                    or set position (math $position + 1)
                case 'mx limits/persist'
                    test $position = 0
                    and set path 'mx limits persist'
                    or set position (math $position + 1)
                case 'mx limits/help'
                    set follows help
                case '*'
                    set position (math $position + 1)
            end
        end
    end
    # An option that waits for its value is not hidden, or fish would not complete it.
    test $skip = yes
    and set -e given[-1]
    set -g __mx_path $path
    set -g __mx_position $position
    set -g __mx_follows $follows
    set -g __mx_given $given
end

# __mx_at KIND PATH [WORD…]: whether an option, a command or an argument of the
# command PATH (of any, if that is empty) can stand here: an option unless one of
# the WORDs is given, an argument from the first to the last place, which the
# WORDs are then. `last` is the command line behind `--`.
function __mx_at -a kind wanted
    __mx_parse
    test -z "$wanted" -o "$__mx_path" = "$wanted"
    or return
    switch $kind:$__mx_follows
        case command:any command:help
            test $__mx_position = 0
        case option:any
            for word in $argv[3..-1]
                contains -- $word $__mx_given
                and return 1
            end
            true
        case argument:any argument:literal
            test $__mx_position -ge $argv[3] -a $__mx_position -le $argv[4]
        case last:last
            true
        case '*'
            false
    end
end

# __mx_live NOUN: what `mx __complete NOUN` lists, also behind an address.
function __mx_live
    # fish reports a program that is gone, whatever becomes of its errors.
    builtin command -sq mx
    or return
    set -l typed (commandline -ct)
    set -l address
    test $argv = ports
    and set address (string match -r '.*:' -- $typed)
    for line in (command mx __complete $argv fish -- "$typed" 2>/dev/null)
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
    # Not the words, which would be without their quotes.
    set -l line (commandline -cp | string collect)
    complete -C (string replace -r -- '(?s)^.*?\s--\s+' '' $line | string collect)
end

complete -c mx -f
complete -c mx -n '__mx_at option "" --json --table --plain' -l json -d 'Print one JSON document'
complete -c mx -n '__mx_at option "" --table --json --plain' -l table -d 'Print a table, also into a pipe'
complete -c mx -n '__mx_at option "" --plain --json --table' -l plain -d 'Print lines of columns separated by tabs, also on a terminal'
complete -c mx -n '__mx_at option "" -q --quiet' -s q -l quiet -d 'Print nothing but errors'
complete -c mx -n '__mx_at option "" --color' -l color -x -k -a 'auto\\t"On a terminal, unless NO_COLOR is set" always\\t"Always" never\\t"Never"' -d 'When to use colour'
complete -c mx -n '__mx_at option "" -h --help' -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mx -n '__mx_at command "mx"' -a ports -d 'Show what is bound to a port, and by whom'
complete -c mx -n '__mx_at command "mx"' -a limits -d 'Show what limits a process, and how near it is'
complete -c mx -n '__mx_at command "mx"' -a copy -d 'Put text on the clipboard'
complete -c mx -n '__mx_at command "mx"' -a paste -d 'Print what is on the clipboard'
complete -c mx -n '__mx_at command "mx"' -a setup -d 'Install the shell integration, or remove it'
complete -c mx -n '__mx_at command "mx"' -a init -d 'Print the integration for a shell'
complete -c mx -n '__mx_at command "mx"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx" -V --version' -s V -l version -d 'Print version'
complete -c mx -n '__mx_at command "mx ports"' -a kill -d 'Free ports: end every process that is bound to them'
complete -c mx -n '__mx_at command "mx ports"' -a wait -d 'Wait until something serves every port, or until they are free'
complete -c mx -n '__mx_at command "mx ports"' -a free -d 'Print a port that a server can bind now'
complete -c mx -n '__mx_at command "mx ports"' -a watch -d 'Watch what is bound to ports, and by whom, as it changes'
complete -c mx -n '__mx_at command "mx ports"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx ports" --tcp' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports" --udp' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports" --all' -l all -d 'Connected and closing sockets too'
complete -c mx -n '__mx_at option "mx ports" --user' -l user -x -k -a '(__fish_complete_users)' -d 'Only sockets of this user, a name or a number'
complete -c mx -n '__mx_at option "mx ports" --all-namespaces' -l all-namespaces -d 'Sockets of other network namespaces too, as those of containers'
complete -c mx -n '__mx_at option "mx ports" -t --pids' -s t -l pids -d 'Print only the PIDs of the owners, one a line'
complete -c mx -n '__mx_at argument "mx ports" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at option "mx ports kill" --tcp' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports kill" --udp' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports kill" -s --signal' -s s -l signal -x -k -a '(__mx_live signals)' -d 'The signal to send first, a name or a number'
complete -c mx -n '__mx_at option "mx ports kill" -9' -s 9 -d 'Send KILL, as --signal KILL'
complete -c mx -n '__mx_at option "mx ports kill" --grace' -l grace -x -k -a '(__mx_live times)' -d 'How long to wait for the ports to be free'
complete -c mx -n '__mx_at option "mx ports kill" --force' -l force -d 'Send KILL to what is left after that time'
complete -c mx -n '__mx_at option "mx ports kill" -y --yes' -s y -l yes -d 'Do not ask'
complete -c mx -n '__mx_at option "mx ports kill" --dry-run' -l dry-run -d 'Show what would be done, and do nothing'
complete -c mx -n '__mx_at option "mx ports kill" --user' -l user -x -k -a '(__fish_complete_users)' -d 'Only sockets of this user, a name or a number'
complete -c mx -n '__mx_at option "mx ports kill" --all-namespaces' -l all-namespaces -d 'Sockets of other network namespaces too, as those of containers'
complete -c mx -n '__mx_at argument "mx ports kill" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at option "mx ports wait" --tcp' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports wait" --udp' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports wait" --free' -l free -d 'Wait until a server can bind the ports'
complete -c mx -n '__mx_at option "mx ports wait" --no-connect' -l no-connect -d 'Connect to nothing: it is enough that a socket listens'
complete -c mx -n '__mx_at option "mx ports wait"' -l status -x -d 'A status of HTTP that counts as up, such as 200, or a range, such as 200-299'
complete -c mx -n '__mx_at option "mx ports wait" --timeout' -l timeout -x -k -a '(__mx_live times)' -d 'How long to wait'
complete -c mx -n '__mx_at option "mx ports wait" --interval' -l interval -x -k -a '(__mx_live times)' -d 'How often to look'
complete -c mx -n '__mx_at argument "mx ports wait" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at last "mx ports wait"' -k -a '(__mx_command_line)'
complete -c mx -n '__mx_at option "mx ports free" --count' -l count -x -d 'How many ports, all different'
complete -c mx -n '__mx_at option "mx ports free" --range' -l range -x -d 'Only ports of this range, all of them'
complete -c mx -n '__mx_at option "mx ports free" --udp' -l udp -d 'For UDP instead of TCP'
complete -c mx -n '__mx_at option "mx ports watch" --tcp' -l tcp -d 'Only TCP'
complete -c mx -n '__mx_at option "mx ports watch" --udp' -l udp -d 'Only UDP'
complete -c mx -n '__mx_at option "mx ports watch" --all' -l all -d 'Connected and closing sockets too'
complete -c mx -n '__mx_at option "mx ports watch" --user' -l user -x -k -a '(__fish_complete_users)' -d 'Only sockets of this user, a name or a number'
complete -c mx -n '__mx_at option "mx ports watch" --all-namespaces' -l all-namespaces -d 'Sockets of other network namespaces too, as those of containers'
complete -c mx -n '__mx_at option "mx ports watch" --interval' -l interval -x -k -a '(__mx_live times)' -d 'How often to look'
complete -c mx -n '__mx_at argument "mx ports watch" 0 9999' -k -a '(__mx_live ports)'
complete -c mx -n '__mx_at command "mx limits"' -a raise -d 'Raise limits of this shell'
complete -c mx -n '__mx_at command "mx limits"' -a run -d 'Run a command with other limits'
complete -c mx -n '__mx_at command "mx limits"' -a set -d 'Change the limits of a running process'
complete -c mx -n '__mx_at command "mx limits"' -a explain -d 'Find the limit that an error message is about'
complete -c mx -n '__mx_at command "mx limits"' -a check -d 'Check whether there is enough for a kind of work'
complete -c mx -n '__mx_at command "mx limits"' -a persist -d 'Raise limits in every new shell'
complete -c mx -n '__mx_at command "mx limits"' -a help -d 'Print this message or the help of the given subcommand(s)'
complete -c mx -n '__mx_at option "mx limits" --pid' -l pid -x -k -a '(__mx_live pids)' -d 'The limits of this process, by its id or name, and what it uses'
complete -c mx -n '__mx_at option "mx limits" --all' -l all -d 'Every limit'
complete -c mx -n '__mx_at option "mx limits" --who' -l who -d 'List the processes that hold inotify watches, which takes longer'
complete -c mx -n '__mx_at argument "mx limits" 0 9999' -k -a '(__mx_live limits)'
complete -c mx -n '__mx_at argument "mx limits raise" 0 9999' -k -a '(__mx_live limit-raises)'
complete -c mx -n '__mx_at argument "mx limits run" 0 9999' -k -a '(__mx_live limit-values)'
complete -c mx -n '__mx_at last "mx limits run"' -k -a '(__mx_command_line)'
complete -c mx -n '__mx_at option "mx limits set" --pid' -l pid -x -k -a '(__mx_live pids)' -d 'The process, by its id or its name if no other has that'
complete -c mx -n '__mx_at argument "mx limits set" 0 9999' -k -a '(__mx_live limit-changes)'
complete -c mx -n '__mx_at option "mx limits explain" --pid --unit' -l pid -x -k -a '(__mx_live pids)' -d 'The process that the message is from'
complete -c mx -n '__mx_at option "mx limits explain" --unit --pid' -l unit -x -d 'The systemd service that the message is from'
complete -c mx -n '__mx_at option "mx limits check" --template' -l template -d 'Print the file of the built-in profiles, to begin your own with'
complete -c mx -n '__mx_at argument "mx limits check" 0 0' -k -a '(__mx_live profiles)'
complete -c mx -n '__mx_at option "mx limits persist" --dry-run' -l dry-run -d 'Print what would change, and change nothing'
complete -c mx -n '__mx_at option "mx limits persist" --undo' -l undo -d 'Remove what is kept'
complete -c mx -n '__mx_at argument "mx limits persist" 0 9999' -k -a '(__mx_live limit-raises)'
complete -c mx -n '__mx_at option "mx copy" -n --trim' -s n -l trim -d 'Leave out a newline at the end'
complete -c mx -n '__mx_at option "mx copy" --secret' -l secret -d 'Ask clipboard managers not to keep it'
complete -c mx -n '__mx_at option "mx copy" --primary' -l primary -d 'The primary selection: what is selected, and pasted by the middle mouse button'
complete -c mx -n '__mx_at option "mx copy" --via' -l via -x -k -a 'x11\\t"The X server of DISPLAY" wayland\\t"The compositor of WAYLAND_DISPLAY" macos\\t"The pasteboard of macOS" tmux\\t"The buffer of tmux, and the terminal behind it" screen\\t"The terminal behind screen" osc52\\t"The terminal, by the escape sequence OSC 52"' -d 'Only this way, instead of the first that works'
complete -c mx -n '__mx_at option "mx copy" --timeout' -l timeout -x -k -a '(__mx_live times)' -d 'How long a server, an owner, tmux or a terminal may be silent'
complete -c mx -n '__mx_at argument "mx copy" 0 9999' -F
complete -c mx -n '__mx_at option "mx paste" --types' -l types -d 'List the types that it can be pasted as'
complete -c mx -n '__mx_at option "mx paste" --primary' -l primary -d 'The primary selection: what is selected, and pasted by the middle mouse button'
complete -c mx -n '__mx_at option "mx paste" --via' -l via -x -k -a 'x11\\t"The X server of DISPLAY" wayland\\t"The compositor of WAYLAND_DISPLAY" macos\\t"The pasteboard of macOS" tmux\\t"The buffer of tmux, and the terminal behind it" screen\\t"The terminal behind screen" osc52\\t"The terminal, by the escape sequence OSC 52"' -d 'Only this way, instead of the first that works'
complete -c mx -n '__mx_at option "mx paste" --timeout' -l timeout -x -k -a '(__mx_live times)' -d 'How long a server, an owner, tmux or a terminal may be silent'
complete -c mx -n '__mx_at option "mx setup" --dry-run' -l dry-run -d 'Print what would change, and change nothing'
complete -c mx -n '__mx_at option "mx setup" --uninstall' -l uninstall -d 'Remove the integration'
complete -c mx -n '__mx_at argument "mx setup" 0 0' -k -a 'zsh\\t"The Z shell" bash\\t"The Bourne-again shell, from version 3.2" fish\\t"The friendly interactive shell"'
complete -c mx -n '__mx_at argument "mx init" 0 0' -k -a 'zsh\\t"The Z shell" bash\\t"The Bourne-again shell, from version 3.2" fish\\t"The friendly interactive shell"'
