package match

import (
	_ "embed"
	"sync"
)

//go:embed shipped.bin
var shippedBlob []byte

// Shipped returns the word statistics that a new app starts with: counts over
// requests of the project's own making (see background_test.go), so that common
// words weigh little before any traffic was seen. The result is shared.
func Shipped() *Stats { return shipped() }

var shipped = sync.OnceValue(func() *Stats {
	s, err := UnmarshalStats(shippedBlob)
	if err != nil {
		panic("BUG: shipped word statistics: " + err.Error())
	}
	return s
})
