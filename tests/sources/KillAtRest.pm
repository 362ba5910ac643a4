# Delays a test's SIGTERM until the process and its children wait for something new. If it is sent as soon as
# the client has its answer, it may arrive right before accept. Then nothing wakes a server with the original
# library, and the test waits for a long time.
package KillAtRest;
use strict;
use warnings;
use Time::HiRes 'sleep';

sub content {
    open my $file, '<', shift or return '';
    return readline($file) // '';
}

# The number of poll on amd64. A poll of more than a second waits for the client to close; one for requests
# may be shorter.
my $poll = 7;

sub waits_for_the_end {
    my ($call, undef, undef, $timeout) = split ' ', shift;
    return $call eq $poll && hex($timeout) > 1000;
}

# Returns whether a process waits for something new. One that has ended does, too.
sub at_rest {
    my $process = shift;
    content("/proc/$process/stat") !~ /.*\) [RDtT]/ or return 0;
    my $syscall = content("/proc/$process/syscall");
    $syscall !~ /^running/ or return 0;
    $syscall eq '' || !waits_for_the_end($syscall) or return 0;
    at_rest($_) or return 0 for split ' ', content("/proc/$process/task/$process/children");
    return 1;
}

BEGIN {
    *CORE::GLOBAL::kill = sub {
        my ($signal, @processes) = @_;
        if ($signal eq 'TERM') {
            for my $process (@processes) {
                sleep 0.002 until at_rest($process);
            }
        }
        return CORE::kill($signal, @processes);
    };
}

1;
