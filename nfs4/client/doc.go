// Package client is a small NFSv4.1 and 4.2 client for tests, load and
// conformance. It hides nothing: requests are the wire's own types, replies hold
// the status of every operation, and nothing is retried behind the caller's back.
//
// Three layers build on each other, and each can be used alone:
//
//   - A Conn carries COMPOUNDs, well-formed (Compound) or not (Raw), and answers
//     the callbacks that arrive with the functions of Config.Callbacks.
//   - A Client is a client id (EXCHANGE_ID) and makes Sessions.
//   - A Session has slots, on which requests run concurrently, over any number of
//     connections. Do and the file operations (Lookup, Open, Read, …) take a free
//     slot each; Acquire hands one out, whose sequence id, connection and caching
//     are then the caller's to choose.
//
// Mount makes all three:
//
//	s, err := client.Mount(ctx, addr, client.Config{}, wire.ClientOwner{OwnerID: []byte("me")})
//	dir, err := s.Lookup(ctx, "/export")
//	f, err := s.Open(ctx, dir, "name", client.OpenOptions{Create: true, Mode: 0o644})
//	_, err = s.Write(ctx, f.FH, f.Stateid, 0, wire.FileSync, data)
//	reply, err := s.Do(ctx, wire.PutFHArgs{Object: dir}, wire.RemoveArgs{Target: []byte("name")})
//	fmt.Println(reply.Status, reply.Results)
//
// An error of Do means that there was no reply that makes sense. The file
// operations also return a *StatusError, which holds the Reply, for any status
// but OK; IsStatus asks for one.
package client
