package rpc

import "github.com/tidegate/tidegate/xdr"

// The authentication flavors that are understood (RFC 5531, 8.2).
const (
	AuthNone uint32 = 0
	AuthSys  uint32 = 1
)

const (
	maxAuthBody    = 400 // RFC 5531, 8.2
	maxMachineName = 255 // RFC 5531, appendix A
	maxGroups      = 16
)

// Cred is a caller's credential. UID, GID and Groups are set with AuthSys only.
type Cred struct {
	Flavor   uint32
	UID, GID uint32
	Groups   []uint32 // in a Call: valid until Dispatch returns
}

// flavor is one row of the table of understood flavors.
type flavor struct {
	number uint32
	// parse fills c.Cred from the credential's body.
	parse func(c *Call, body []byte) Status
}

var flavors = [...]flavor{
	{AuthNone, parseNone},
	{AuthSys, parseSys},
}

// authenticate reads credential and verifier from c.In into c.Cred.
func (c *Call) authenticate() Status {
	number := c.In.Uint32()
	body := c.In.Opaque(maxAuthBody)
	if c.In.Err() != nil {
		return AuthBadCred
	}
	verifier := c.In.Uint32()
	c.In.Opaque(maxAuthBody)
	if c.In.Err() != nil || verifier != AuthNone {
		return AuthBadVerf
	}
	for i := range flavors {
		if flavors[i].number == number {
			c.Cred = Cred{Flavor: number}
			return flavors[i].parse(c, body)
		}
	}
	return AuthRejectedCred
}

// The body of a null credential is undefined (RFC 5531, 10.1).
func parseNone(*Call, []byte) Status { return Success }

func parseSys(c *Call, body []byte) Status {
	d := xdr.NewDecoder(body)
	d.Uint32() // stamp
	d.Opaque(maxMachineName)
	c.Cred.UID = d.Uint32()
	c.Cred.GID = d.Uint32()
	n := d.Count(maxGroups, 4)
	for i := range n {
		c.groups[i] = d.Uint32()
	}
	if d.Err() != nil || d.Remaining() != 0 {
		return AuthBadCred
	}
	c.Cred.Groups = c.groups[:n:n]
	return Success
}

// encode appends the credential; groups above the sixteenth have no room in it.
func (c *Cred) encode(e *xdr.Encoder) {
	e.Uint32(c.Flavor)
	length := e.Reserve()
	if c.Flavor == AuthSys {
		e.Uint32(0)  // stamp
		e.String("") // machine name
		e.Uint32(c.UID)
		e.Uint32(c.GID)
		groups := c.Groups[:min(len(c.Groups), maxGroups)]
		e.Uint32(uint32(len(groups)))
		for _, g := range groups {
			e.Uint32(g)
		}
	}
	e.PutUint32(length, uint32(e.Len()-length-4))
}
