#!/usr/bin/perl
# In a program's place: has the process that loaded it do this call, as this process would have done it.
#
# The call gets the arguments, the environment, the folder, the umask, the open files, the mounts and the ignored signals
# of this process, is sent each signal that this process is sent, dies with it, and ends it the way it ended. It does not
# get the user, the limits and the forbidden system calls of this process, nor what Python reads from PYTHON… variables as
# it starts: where those matter, start the program itself.
#
# Perl, because every Debian has it and it starts in a fifth of Python's time: most calls take little longer than that.
# No module is loaded, for the same reason. server.py is the other end.

my ($folder, $program) = $0 =~ m{^(.*)/(.+)$};
my ($UNIX, $STREAM, $SOL_SOCKET, $SCM_RIGHTS, $CLOSE_ON_EXEC) = (1, 1, 1, 1, 02000000);
my %SENDMSG = (x86_64 => 46, aarch64 => 211);  # unistd.h
my %FORWARDED = (HUP => 1, INT => 2, QUIT => 3, USR1 => 10, USR2 => 12, TERM => 15);

sub content { open my $file, '<', $_[0] or return ''; local $/; return <$file> }

opendir my $listing, '/proc/self/fd' or die "no /proc: $!";
my @numbers = grep { /^\d+$/ && content("/proc/self/fdinfo/$_") =~ /^flags:\s+(\d+)/m && !(oct($1) & $CLOSE_ON_EXEC) }
    readdir $listing;
open my $mounts, '<', '/proc/self/ns/mnt' or die "no namespace: $!";
my ($ignored) = content('/proc/self/status') =~ /^SigIgn:\s+(\w+)/m;
my $body = pack '(N/a*)*', $program, readlink '/proc/self/cwd', umask, $ignored, "@numbers", content('/proc/self/environ'),
    @ARGV;

socket my $server, $UNIX, $STREAM, 0 or die "no socket: $!";
connect $server, pack 'S a108', $UNIX, "$folder/socket" or die "$program: what had it loaded is gone: $!\n";
for my $name (keys %FORWARDED) {
    next if hex(substr $ignored, -8) >> $FORWARDED{$name} - 1 & 1;
    $SIG{$name} = sub { syswrite $server, chr $FORWARDED{$name} };
}
my $head = pack 'N', length $body;
my $rights = pack 'Q l l l*', 16 + 4 * (@numbers + 1), $SOL_SOCKET, $SCM_RIGHTS, @numbers, fileno $mounts;
$rights .= "\0" x (-length($rights) % 8);
my $vector = pack 'P Q', $head, length $head;
my $message = pack 'Q L x4 P Q P Q l x4', 0, 0, $vector, 1, $rights, length $rights, 0;
my ($machine) = "@INC" =~ m{/(\w+)-linux-gnu};
my $sendmsg = $SENDMSG{$machine} or die "$program: the number of sendmsg(2) on $machine is not known in $0\n";
syscall($sendmsg, fileno $server, $message, 0) == length $head or die "$program: sendmsg: $!\n";
while (length $body) {
    my $written = syswrite $server, $body;
    die "$program: $!\n" unless defined $written || $! == 4;
    $body = substr $body, $written // 0;
}

my $code = '';
while (length $code < 4) {
    my $got = sysread $server, $code, 4 - length $code, length $code;
    next if !defined $got && $! == 4;  # EINTR: a signal was passed on
    die "$program: what had it loaded is gone\n" unless $got;
}
my $ended = unpack 'l>', $code;
if ($ended < 0) {
    my ($name) = grep { $FORWARDED{$_} == -$ended } keys %FORWARDED;
    $SIG{$name} = 'DEFAULT' if $name;
    kill -$ended, $$;
}
exit $ended;
