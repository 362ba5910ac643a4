#!/usr/bin/perl
# A FastCGI program on FFI::Platypus: answers with its parameters and the body.
use strict;
use warnings;

use FFI::Platypus 2.00;
use FFI::Platypus::Buffer qw(buffer_to_scalar scalar_to_buffer);

use constant { TAKE_SIGNALS => 2, SHUT_DOWN => -10001 };

my $ffi = FFI::Platypus->new( api => 2, lib => 'libfcgi.so.0' );
$ffi->mangler( sub { "FCGX_$_[0]" } );
$ffi->attach( ErrorText      => ['int'] => 'string' );
$ffi->attach( RequestNew     => [ 'int', 'int' ] => 'opaque' );
$ffi->attach( RequestNext    => [ 'opaque', 'int' ] => 'int' );
$ffi->attach( RequestEnd     => [ 'opaque', 'int' ] => 'int' );
$ffi->attach( RequestParamAt => [ 'opaque', 'size_t', 'size_t*', 'size_t*' ] => 'opaque' );
$ffi->attach( $_ => [ 'opaque', 'opaque', 'size_t' ] => 'ssize_t' )
    for qw(RequestRead RequestWrite RequestLog);

sub check {
    my ($result) = @_;
    die ErrorText($result), "\n" if $result < 0;
    return $result;
}

sub params {
    my ($request) = @_;
    my ( %found, $name, $length );
    my $index = 0;
    while ( my $text = RequestParamAt( $request, $index++, \$name, \$length ) ) {
        my $entry = buffer_to_scalar( $text, $length );
        $found{ substr $entry, 0, $name } = substr $entry, $name + 1;
    }
    return \%found;
}

sub serve {
    my ($request) = @_;
    my $env   = params($request);
    my $query = $env->{QUERY_STRING} // q{};
    my @head  = (
        'Content-Type: application/octet-stream',
        'X-Method: ' . ( $env->{REQUEST_METHOD} // q{} ),
        "X-Query: $query",
        'X-Params: ' . keys %{$env},
    );
    push @head, "X-Value: $env->{$query}" if exists $env->{$query};
    my $head = join q{}, map {"$_\r\n"} @head, q{};
    check( RequestWrite( $request, scalar_to_buffer $head ) );
    my ( $buffer, $size ) = scalar_to_buffer( my $room = "\0" x 65_536 );
    while ( my $count = check( RequestRead( $request, $buffer, $size ) ) ) {
        check( RequestWrite( $request, $buffer, $count ) );
    }
    check( RequestLog( $request, scalar_to_buffer( my $line = "served by Perl\n" ) ) );
    check( RequestEnd( $request, $query eq 'status=7' ? 7 : 0 ) );
    return;
}

my $request = RequestNew( 0, TAKE_SIGNALS );
while ( ( my $result = RequestNext( $request, -1 ) ) != SHUT_DOWN ) {
    check($result);
    eval { serve($request); 1 } or warn $@;
}
