# Lets a test send SIGTERM only when the process and its children wait for something new. Sent as soon as the
# client has its answer, it may arrive right before accept: then nothing wakes a server with the original
# library, and the test waits for long.
package KillAtRest;
use strict;
use warnings;
use Time::HiRes 'sleep';

sub content {
    open my $file, '<', shift or return '';
    return readline($file) // '';
}

# poll on amd64. For more than a second it waits for the client to close; a wait for requests may be
# a shorter one.
my $poll = 7;

sub waits_for_the_end {
    my ($call, undef, undef, $timeout) = split ' ', shift;
    return $call eq $poll && hex($timeout) > 1000;
}

# A process that has gone rests, too.
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
