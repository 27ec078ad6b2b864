package suite

import (
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var bctlTests = []Test{
	{"BCTL1", 0, "18.33.3", "a new program with AUTH_NONE is taken", bctlNone},
	{"BCTL2", 0, "18.33.3", "a new program with AUTH_SYS is taken", bctlSys},
	{"BCTL3", 0, "18.33.3", "an unknown RPCSEC_GSS handle is NOENT", bctlUnknownGSS},
	{"BCTL4", 0, "18.33.3", "outside of a session it is OP_NOT_IN_SESSION", bctlNoSession},
	{"BCTL5", 0, "18.33.1", "a flavor that callbacks do not have does not decode", bctlFlavor},
}

func bctlNone(t *T) {
	t.Expect(wire.OK, wire.BackchannelCtlArgs{CbProgram: 0x40000001, SecParms: []wire.CallbackSecParms{{SecFlavor: wire.AuthNone}}})
}

func bctlSys(t *T) {
	t.Expect(wire.OK, wire.BackchannelCtlArgs{CbProgram: 0x40000001, SecParms: []wire.CallbackSecParms{
		{SecFlavor: wire.AuthSys, SysCred: wire.AuthSysParms{MachineName: []byte("host"), GIDs: []uint32{1, 2, 3}}},
	}})
}

func bctlUnknownGSS(t *T) {
	t.Expect(wire.ErrNoEnt, wire.BackchannelCtlArgs{CbProgram: 0x40000001, SecParms: unknownGSS()})
}

func bctlNoSession(t *T) {
	t.refused(wire.ErrOpNotInSession, t.Dial().Do(wire.BackchannelCtlArgs{CbProgram: 1}))
}

func bctlFlavor(t *T) {
	s := t.rawSession()
	request := client.EncodeCompound(t.Target.Minor, "", s.Sequence(0, 1, false),
		wire.BackchannelCtlArgs{CbProgram: 1, SecParms: []wire.CallbackSecParms{{SecFlavor: wire.AuthNone}}})
	request[len(request)-1] = 99
	t.malformed(request)
	reply := s.Conn.Do(s.Sequence(0, 1, false))
	if reply.Status != wire.OK {
		s.SendExpect(wire.OK, call{seq: 2})
	}
}
