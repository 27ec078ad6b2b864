// Lets wait.go declare functions that have their bodies in the runtime.
