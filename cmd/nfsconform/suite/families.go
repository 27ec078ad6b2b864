package suite

// families are all tables. Nothing writes it.
var families = [][]Test{
	eidTests,
	csessTests,
	seqTests,
	bindTests,
	dsessTests,
	dcidTests,
	rccTests,
	bctlTests,
	compTests,
	putfhTests,
	tsidTests,
	freeTests,
	secinfoTests,
	rpcTests,
	lookupTests,
	lookuppTests,
	nameTests,
	readdirTests,
	getattrTests,
	setattrTests,
}
