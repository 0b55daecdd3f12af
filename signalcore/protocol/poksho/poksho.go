// Package poksho has Signal's proofs of knowledge: statements that linear relations hold between points and secret
// scalars, their non-interactive proofs, signatures as the simplest case, and the stateful hash objects (SHO) that all
// of this is hashed with.
//
// Source: libsignal rust/poksho. Credentials over these proofs are in package zkcredential.
package poksho
