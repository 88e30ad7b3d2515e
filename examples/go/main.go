// Calls 32-bit libraries from a 64-bit Go program, whose own process could never load them, with the client that
// openapi-generator has generated.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"example/bridge32"
)

func main() {
	configuration := bridge32.NewConfiguration()
	secret, err := base64.StdEncoding.DecodeString(os.Getenv("BRIDGE32_SECRET"))
	if err != nil {
		log.Fatal("BRIDGE32_SECRET is not base64: ", err)
	}
	transport := SignedTransport{KeyID: os.Getenv("BRIDGE32_KEY_ID"), Secret: secret}
	configuration.HTTPClient = &http.Client{Transport: transport}
	configuration.Servers = bridge32.ServerConfigurations{{URL: os.Args[1]}}
	client := bridge32.NewAPIClient(configuration)
	if err := story(context.Background(), client); err != nil {
		log.Fatal(err)
	}
	wrongCalls(context.Background(), client)
}

func story(ctx context.Context, client *bridge32.APIClient) error {
	// Bytes travel as base64. Their length, which C needs, may be left out.
	hello := base64.StdEncoding.EncodeToString([]byte("hello"))
	crc, _, err := client.ZAPI.ZCrc32(ctx).ZCrc32Arguments(*bridge32.NewZCrc32Arguments(0, hello)).Execute()
	if err != nil {
		return err
	}
	fmt.Printf("zlib for Linux:   crc32(\"hello\") = %08x\n", crc.Result)
	crcw, _, err := client.ZwAPI.ZwCrc32(ctx).ZwCrc32Arguments(*bridge32.NewZwCrc32Arguments(0, hello)).Execute()
	if err != nil {
		return err
	}
	fmt.Printf("zlib for Windows: crc32(\"hello\") = %08x\n", crcw.Result)

	// What C returns through pointers is in Outputs.
	numbers := *bridge32.NewDemoDivideArguments(17, 5)
	divided, _, err := client.DemoAPI.DemoDivide(ctx).DemoDivideArguments(numbers).Execute()
	if err != nil {
		return err
	}
	fmt.Printf("17 / 5 = %d, remainder %d\n", divided.Outputs.Quotient, divided.Outputs.Remainder)

	up := bridge32.DEMODEMOROUNDINGNAME_DEMO_UP.Ptr()
	half := *bridge32.NewDemoRoundArguments(2.5, bridge32.DemoDemoRounding{DemoDemoRoundingName: up})
	rounded, _, err := client.DemoAPI.DemoRound(ctx).DemoRoundArguments(half).Execute()
	if err != nil {
		return err
	}
	fmt.Printf("2.5 rounded up = %d\n", rounded.Result)

	from, to := *bridge32.NewDemoDemoPointInput(0, 0), *bridge32.NewDemoDemoPointInput(3, 4)
	places := *bridge32.NewDemoDistanceArguments(from, to)
	distance, _, err := client.DemoAPI.DemoDistance(ctx).DemoDistanceArguments(places).Execute()
	if err != nil {
		return err
	}
	fmt.Printf("from (0, 0) to (3, 4): %g\n", *distance.Result.Float64)

	windows, _, err := client.Kernel32API.Kernel32GetLocalTime(ctx).Execute()
	if err != nil {
		return err
	}
	now := windows.Outputs.LpSystemTime
	fmt.Printf("Windows says it is %d-%02d-%02d %02d:%02d\n", now.WYear, now.WMonth, now.WDay, now.WHour, now.WMinute)

	// Queries and names in any script are signed, too.
	exports, _, err := client.LibrariesAPI.ListExports(ctx, "demo").Filter("di").Execute()
	if err != nil {
		return err
	}
	fmt.Printf("exports of demo with \"di\": %d\n", exports.GetTotal())
	_, _, err = client.CallsAPI.CallFunction(ctx, "bücher", "öffne").RequestBody(map[string]any{}).Execute()
	problem := problemOf(err)
	fmt.Printf("a library that is not there: %d %s\n", problem.Status, problem.Code)
	return nil
}

// problemOf gives what the gateway says of a call that failed.
func problemOf(err error) bridge32.Problem {
	var failure *bridge32.GenericOpenAPIError
	if !errors.As(err, &failure) {
		log.Fatal(err)
	}
	problem, ok := failure.Model().(bridge32.Problem)
	if !ok {
		log.Fatalf("%v: %s", err, failure.Body())
	}
	return problem
}

// Wrong calls, by the operation that takes any function: the others do not compile with these arguments.
func wrongCalls(ctx context.Context, client *bridge32.APIClient) {
	for _, wrong := range []struct {
		what, function string
		arguments      map[string]any
	}{
		{"a missing argument", "Divide", map[string]any{"dividend": 17}},
		{"a string for a number", "Divide", map[string]any{"dividend": "17", "divisor": 5}},
		{"2^40 for an int", "Divide", map[string]any{"dividend": 1 << 40, "divisor": 5}},
		{"an unknown enumerator", "Round", map[string]any{"value": 2.5, "rounding": "DEMO_SIDEWAYS"}},
	} {
		_, _, err := client.CallsAPI.CallFunction(ctx, "demo", wrong.function).RequestBody(wrong.arguments).Execute()
		problem := problemOf(err)
		fmt.Printf("%s: %d %s: %s\n", wrong.what, problem.Status, problem.GetPointer(), problem.Detail)
	}
}
