package erasure

// Values of the Lagrange basis polynomials L_j, which are 1 at node j and 0 at the other nodes:
//
//	L_j(x) = Π(x - x_m) / ((x - x_j) · d_j),  d_j = Π_{m≠j} (x_j - x_m)

// systematic holds d_j of the nodes 0 to n-1, at [n][j].
var systematic = systematicDenominators()

func systematicDenominators() (table [MaxChunks + 1][MaxChunks]uint16) {
	for n := 1; n <= MaxChunks; n++ {
		last := uint16(n - 1)
		table[n][last] = 1
		for j := range last {
			table[n][j] = multiply(table[n-1][j], j^last)
			table[n][last] = multiply(table[n][last], j^last)
		}
	}
	return table
}

// denominators returns d_j of any distinct nodes.
func denominators(nodes []uint16) []uint16 {
	products := make([]uint16, len(nodes))
	for j, node := range nodes {
		products[j] = 1
		for m, other := range nodes {
			if m != j {
				products[j] = multiply(products[j], node^other)
			}
		}
	}
	return products
}

// basis returns L_j(x) for an x that is none of the nodes.
func basis(nodes, denominators []uint16, x uint16) []uint16 {
	values := make([]uint16, len(nodes))
	numerator := uint16(1)
	for j, node := range nodes {
		numerator = multiply(numerator, x^node)
		values[j] = multiply(denominators[j], x^node)
	}
	invertAll(values)
	for j := range values {
		values[j] = multiply(values[j], numerator)
	}
	return values
}
