// Package wire holds the types of the NFSv4.1 and 4.2 protocol (RFC 8881 and
// RFC 5662, RFC 7862 and RFC 7863, RFC 8276) and their XDR codecs, for servers
// and clients.
//
// Names are the RFC's without the 4 and without prefixes that only repeat the
// type. XxxArgs is what follows the operation's number in a request, XxxRes what
// follows the status OK in a reply; what follows another status has a type of
// its own. Names and data of variable length alias the Decoder's input.
//
// Decoding checks form, not meaning: an enum takes any value unless it says what
// follows it, and names may be empty or no UTF-8.
package wire

//go:generate go run ../../xdr/gen attr.go callback.go clientid.go compound.go dir.go file.go fsattr.go layout.go lock.go notify.go open.go session.go types.go v40.go v42.go xattr.go
