package main
import ("testing";"os")
func TestZZ(t *testing.T){ c:=storeCommand{N:20000,Batch:256,Apps:1,Seed:1}; if err:=c.Run(os.Stdout);err!=nil{t.Fatal(err)} }
