//go:build !linux

package signer

// patiently runs f: elsewhere the priority of a single thread cannot be lowered.
func patiently(f func()) { f() }
