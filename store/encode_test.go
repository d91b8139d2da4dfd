package store

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"heed/wire"
)

// awkward are strings that JSON escapes, and some that it does not.
var awkward = []string{
	"", "plain", "say \"hi\" \\ / <b>&amp;</b>", "\x00\x01\b\f\n\r\t\x1f\x7f", "größe 漢字 🙂", "\u2028\u2029", "cut \xf0\x9f", "\xff", "a\xc3", "\ufffd",
}

// filler fills values of any type at random; every field is set now and then, so
// that one that AppendRow forgets makes a difference.
type filler struct{ *rand.Rand }

func (f filler) fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(f.time()))
		return
	case wire.API:
		v.SetUint(f.Uint64N(6))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f.IntN(4) > 0 {
				f.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(4) {
			v.SetMapIndex(reflect.ValueOf(f.text()), reflect.ValueOf(f.text()))
		}
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(f.Int64() >> f.IntN(64) * int64(1-2*f.IntN(2)))
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(f.Uint64() >> f.IntN(64) & (1<<v.Type().Bits() - 1))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(f.float())
	default:
		panic("BUG: no value for " + v.Type().String())
	}
}

func (f filler) text() string {
	s := awkward[f.IntN(len(awkward))]
	for f.IntN(3) > 0 {
		s += awkward[f.IntN(len(awkward))]
	}
	return s
}

func (f filler) float() float64 {
	choices := []float64{0, 1, 0.9, 0.93, 1e-6, 9.99e-7, 1e-7, 1e-9, 1e-12, 1e20, 1e21, 1e22, 123456789, math.MaxFloat32, math.SmallestNonzeroFloat32, f.Float64(), f.Float64() * 1e-8}
	return choices[f.IntN(len(choices))] * float64(1-2*f.IntN(2))
}

func (f filler) time() time.Time {
	zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+1800), time.FixedZone("", -8*3600)}
	choices := []time.Time{{}, time.UnixMilli(f.Int64N(4e12)), time.Unix(f.Int64N(4e9), f.Int64N(1e9)), time.Unix(-f.Int64N(4e9), f.Int64N(1e9))}
	return choices[f.IntN(len(choices))].In(zones[f.IntN(len(zones))])
}

// TestExchange_AppendRow compares the row with what encoding/json writes.
func TestExchange_AppendRow(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	f := filler{rand.New(rand.NewPCG(seed, 1))}
	for range 3000 {
		x := new(Exchange)
		f.fill(reflect.ValueOf(x).Elem())
		x.ID += "i"
		x.App += "a"
		got, err := x.AppendRow([]byte("before "))
		if err != nil {
			t.Fatal(err)
		}
		x.Time, x.Facts.Now, x.Request, x.Response = KeptTime(x.Time), KeptTime(x.Facts.Now), nil, nil
		want, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "before "+string(want) {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}

func TestExchange_AppendRow_Refuses(t *testing.T) {
	for name, spoil := range map[string]func(*Exchange){
		"no id":         func(x *Exchange) { x.ID = "" },
		"no app":        func(x *Exchange) { x.App = "" },
		"not a number":  func(x *Exchange) { x.Cost = new(math.NaN()) },
		"infinite":      func(x *Exchange) { x.Decision.Target.Propensity = math.Inf(1) },
		"year 10000":    func(x *Exchange) { x.Time = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"negative year": func(x *Exchange) { x.Facts.Now = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		x := &Exchange{ID: "x", App: "shop"}
		if _, err := x.AppendRow(nil); err != nil {
			t.Fatal(err)
		}
		spoil(x)
		if b, err := x.AppendRow([]byte("kept")); err == nil || string(b) != "kept" {
			t.Errorf("%s: got %q and error %v, want what was there and an error", name, b, err)
		}
	}
}

func BenchmarkExchange_AppendRow(b *testing.B) {
	x := &Exchange{ID: NewID(), App: "shop", Time: time.Now(), Query: "Where is my parcel? It should have come on Monday.", Answer: "It left the depot this morning."}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = x.AppendRow(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
