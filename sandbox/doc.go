// Package sandbox is a Signal service inside this process, on a loopback address: with a certificate authority, a trust
// root and zero-knowledge secrets of its own, it does for a client what the live service does, and refuses what that
// refuses, with the same status and body. Which controller of Signal-Server a call follows stands at its handler.
//
//	Service ─ wire      TLS, HTTP/2 (h2) and HTTP/1.1, websockets, REST, gRPC
//	        ├ accounts  accounts, devices, prekeys, profiles, certificates, provisioning
//	        ├ messages  sends with their checks, queues, receipts
//	        ├ groups    groups with their rules, change log, signatures and endorsements
//	        ├ storage   the storage service
//	        ├ cdn       attachments and pictures
//	        ├ faults    calls that fail on demand, by rules of a control endpoint
//	        ├ control   HTTP calls for other programs: accounts, phones, registration
//	        ├ messenger a primary device's messages, encrypted and decrypted
//	        ├ phone     the primary devices: keys, linking, what linked devices ask for
//	        ├ contacts  people who answer by themselves
//	        └ disk      a directory where it is kept
//
// Everything lives in memory, and, with a directory, in a file there, which is written anew after changes (keeper.go,
// state.go). Of production code, main alone imports it.
package sandbox
