package suite

// families are all tables. Nothing writes it.
var families = [][]Test{
	eid, csess, seq,
}
