// Calls 32-bit libraries from TypeScript: openapi-fetch sends, openapi-typescript has generated the types.

import createClient from "openapi-fetch";
import type { components, paths } from "./generated/bridge32.js";
import { signedFetch } from "./signed-fetch.js";

type Problem = components["schemas"]["Problem"];

const { BRIDGE32_KEY_ID: keyId = "", BRIDGE32_SECRET: secret = "" } = process.env;
const bridge = createClient<paths>({ baseUrl: process.argv[2], fetch: signedFetch(keyId, secret) });

/** What the library answered; what went wrong is an exception. */
function answer<T>({ data, error }: { data?: T; error?: Problem }): T {
  if (data === undefined) throw new Error(`${error?.code}: ${error?.detail}`);
  return data;
}

// Bytes travel as base64. Their length, which C needs, may be left out.
const body = { crc: 0, buf: Buffer.from("hello").toString("base64") };
const crc = answer(await bridge.POST("/v1/libraries/z/functions/crc32", { body }));
console.log(`zlib for Linux:   crc32("hello") = ${crc.result.toString(16)}`);
const crcw = answer(await bridge.POST("/v1/libraries/zw/functions/crc32", { body }));
console.log(`zlib for Windows: crc32("hello") = ${crcw.result.toString(16)}`);

// What C returns through pointers is in `outputs`.
const divided = answer(
  await bridge.POST("/v1/libraries/demo/functions/Divide", { body: { dividend: 17, divisor: 5 } }),
);
console.log(`17 / 5 = ${divided.outputs.quotient}, remainder ${divided.outputs.remainder}`);

const rounded = answer(
  await bridge.POST("/v1/libraries/demo/functions/Round", { body: { value: 2.5, rounding: "DEMO_UP" } }),
);
console.log(`2.5 rounded up = ${rounded.result}`);

const places = { from: { x: 0, y: 0 }, to: { x: 3, y: 4 } };
const distance = answer(await bridge.POST("/v1/libraries/demo/functions/Distance", { body: places }));
console.log(`from (0, 0) to (3, 4): ${distance.result}`);

const now = answer(await bridge.POST("/v1/libraries/kernel32/functions/GetLocalTime")).outputs.lpSystemTime;
const two = (number: number) => String(number).padStart(2, "0");
const [date, time] = [`${now.wYear}-${two(now.wMonth)}-${two(now.wDay)}`, `${two(now.wHour)}:${two(now.wMinute)}`];
console.log(`Windows says it is ${date} ${time}`);

// Queries and names in any script are signed, too.
const named = { params: { path: { library: "demo" }, query: { filter: "di" } } };
console.log(`exports of demo with "di": ${answer(await bridge.GET("/v1/libraries/{library}/exports", named)).total}`);
const absent = { params: { path: { library: "bücher", function: "öffne" } }, body: {} };
const { error } = await bridge.POST("/v1/libraries/{library}/functions/{function}", absent);
console.log(`a library that is not there: ${error?.status} ${error?.code}`);

// Wrong calls. The compiler refuses them, too, unless it is told to expect an error.
function told(what: string, { error }: { error?: Problem }) {
  console.log(`${what}: ${error?.status} ${error?.pointer}: ${error?.detail}`);
}

const divide = "/v1/libraries/demo/functions/Divide";
// @ts-expect-error Property 'divisor' is missing
told("a missing argument", await bridge.POST(divide, { body: { dividend: 17 } }));
// @ts-expect-error Type 'string' is not assignable to type 'number'
told("a string for a number", await bridge.POST(divide, { body: { dividend: "17", divisor: 5 } }));
// TypeScript has only one type of numbers, so that this one compiles.
told("2^40 for an int", await bridge.POST(divide, { body: { dividend: 2 ** 40, divisor: 5 } }));
const sideways = { value: 2.5, rounding: "DEMO_SIDEWAYS" } as const;
// @ts-expect-error Type '"DEMO_SIDEWAYS"' is not assignable
told("an unknown enumerator", await bridge.POST("/v1/libraries/demo/functions/Round", { body: sideways }));
