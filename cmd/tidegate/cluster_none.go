//go:build !ceph

package main

func dialPool(place, bool) (*pool, error) { return nil, errNoRados }
