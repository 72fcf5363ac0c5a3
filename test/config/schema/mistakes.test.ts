import t from 'tap'
import { testRefusedOptions, type RefusedOptions } from '../../fixtures/refusals.js'

const limit = { name: 'a', max: 1, timeWindow: '1s' }
const names = '"client" or "ip" or "user" or "global"'
const aName = 'a name of letters, digits, ".", "_" and "-", at most 64'
const aLimit = 'a limit: { name, max, timeWindow or period, burst?, algorithm?, by?, cost?, onUnsettled?, mode?, leases? }'
const aDuration = 'a duration such as "10s" or a number of milliseconds'
const exact = 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)'

const wrongValues: readonly RefusedOptions[] = [
  [{ max: '100' }, '.max: expected an integer from 0 to 4294967295, got "100"'],
  [{ max: -1 }, '.max: expected an integer from 0 to 4294967295, got -1'],
  [{ max: 1.5 }, '.max: expected an integer from 0 to 4294967295, got 1.5'],
  [{ max: NaN }, '.max: expected an integer from 0 to 4294967295, got NaN'],
  [{ max: Infinity }, '.max: expected an integer from 0 to 4294967295, got Infinity'],
  [{ max: null }, '.max: expected an integer from 0 to 4294967295, got null'],
  [{ max: 10n }, '.max: expected an integer from 0 to 4294967295, got a bigint'],
  [{ max: 1e308 }, '.max: expected an integer from 0 to 4294967295, got 1e+308'],
  [{ max: 1, timeWindow: '50 years' }, '.timeWindow: expected a duration of 17 years or less, got 1577880000000 ms'],
  [{ max: 5, timeWindow: '20 years', algorithm: 'fixed-window' }, '.timeWindow: expected a duration of 17 years or less, got 631152000000 ms'],
  [{ max: 1, timeWindow: '100 years', algorithm: 'fixed-window' }, '.timeWindow: expected a duration of 17 years or less, got 3155760000000 ms'],
  [{ max: 4_294_967_291, timeWindow: 7 }, `.max: expected ${exact}, got 4294967291 per 7 ms`],
  [{ max: 1, burst: 2 ** 31 }, `.burst: expected ${exact}, got 2147483648 at 1 per 60000 ms`],
  [{ timeWindow: '10 parsecs' }, `.timeWindow: expected ${aDuration}, got "10 parsecs"`],
  // Nothing from outside may begin a line of its own in a log, or turn it around.
  [{ timeWindow: 'a\nb\u2028c\u202ed\u009be' }, `.timeWindow: expected ${aDuration}, got "a\\nb\\u{2028}c\\u{202e}d\\u{9b}e"`],
  [{ timeWindow: '' }, `.timeWindow: expected ${aDuration}, got ""`],
  [{ timeWindow: 0 }, `.timeWindow: expected ${aDuration}, got 0`],
  [{ timeWindow: '0s' }, `.timeWindow: expected ${aDuration}, got "0s"`],
  [{ timeWindow: -5 }, `.timeWindow: expected ${aDuration}, got -5`],
  [{ timeWindow: '-5s' }, `.timeWindow: expected ${aDuration}, got "-5s"`],
  [{ timeWindow: 0.5 }, `.timeWindow: expected ${aDuration}, got 0.5`],
  [{ timeWindow: NaN }, `.timeWindow: expected ${aDuration}, got NaN`],
  [{ timeWindow: Infinity }, `.timeWindow: expected ${aDuration}, got Infinity`],
  [{ timeWindow: [60] }, `.timeWindow: expected ${aDuration}, got an array of 1`],
  [{ burst: 0 }, '.burst: expected an integer from 1 to 4294967295, got 0'],
  [{ burst: '5' }, '.burst: expected an integer from 1 to 4294967295, got "5"'],
  [{ algorithm: 'leaky-bucket' }, '.algorithm: expected "token-bucket" or "sliding-window" or "fixed-window", got "leaky-bucket"'],
  [{ by: 'session' }, `.by: expected ${names}, got "session"`],
  [{ mode: 'off' }, '.mode: expected "enforce" or "shadow", got "off"'],
  [{ hook: 'onSend' }, '.hook: expected "onRequest" or "preParsing" or "preValidation" or "preHandler", got "onSend"'],
  [{ headers: 'draft-8' }, '.headers: expected "x-ratelimit" or "ratelimit" or "both" or "off", got "draft-8"'],
  [{ headers: true }, '.headers: expected "x-ratelimit" or "ratelimit" or "both" or "off", got true'],
  [{ cost: -1 }, '.cost: expected an integer of 0 or more, or a function, got -1'],
  [{ cost: '1' }, '.cost: expected an integer of 0 or more, or a function, got "1"'],
  [{ max: 10, cost: 11 }, '.cost: expected at most 10, the capacity of the limit "default", got 11'],
  [{ max: 10, burst: 20, cost: 21 }, '.cost: expected at most 20, the capacity of the limit "default", got 21'],
  [{ limits: [limit, { ...limit, name: 'b', max: 3 }], cost: 2 }, '.cost: expected at most 1, the capacity of the limit "a", got 2'],
  [{ groupId: '' }, '.groupId: expected a string of 1 to 128 characters, got ""'],
  [{ groupId: 7 }, '.groupId: expected a string of 1 to 128 characters, got 7'],
  [{ groupId: 'x'.repeat(129) }, `.groupId: expected a string of 1 to 128 characters, got "${'x'.repeat(59)}...`],
  [{ keyGenerator: 'ip' }, '.keyGenerator: expected a function, got "ip"'],
  [{ errorResponseBuilder: {} }, '.errorResponseBuilder: expected a function, got an object'],
  [{ onExceeding: true }, '.onExceeding: expected a function, got true'],
  [{ onExceeded: null }, '.onExceeded: expected a function, got null'],
  [{ limits: [] }, '.limits: expected an array of 1 to 16 limits, got an array of 0'],
  [{ limits: Array(17).fill(limit) }, '.limits: expected an array of 1 to 16 limits, got an array of 17'],
  [{ limits: limit }, '.limits: expected an array of 1 to 16 limits, got an object'],
  [{ limits: [limit, 5] }, `.limits[1]: expected ${aLimit}, got 5`],
  [{ limits: [{ max: 1, timeWindow: '1s' }] }, `.limits[0].name: expected ${aName}, got nothing`],
  [{ limits: [{ ...limit, name: 'a b' }] }, `.limits[0].name: expected ${aName}, got "a b"`],
  [{ limits: [{ ...limit, name: '"' }] }, `.limits[0].name: expected ${aName}, got "\\""`],
  [{ limits: [{ name: 'a', timeWindow: '1s' }] }, '.limits[0].max: expected an integer from 0 to 4294967295, got nothing'],
  [{ limits: [{ name: 'a', max: 1 }] }, `.limits[0].timeWindow: expected ${aDuration}, got nothing`],
  [{ limits: [limit, { ...limit, name: 'b', timeWindow: 'soon' }] }, `.limits[1].timeWindow: expected ${aDuration}, got "soon"`],
  [{ name: 'my app' }, `.name: expected ${aName}, got "my app"`],
  [{ global: 'yes' }, '.global: expected true or false, got "yes"'],
  [{ enabled: 0 }, '.enabled: expected true or false, got 0'],
  [{ memory: 100 }, '.memory: expected an object: { maxKeys? }, got 100'],
  [{ memory: { maxKeys: 0 } }, '.memory.maxKeys: expected an integer from 1 to 16777216, got 0'],
  [{ memory: { maxKeys: 2 ** 24 + 1 } }, '.memory.maxKeys: expected an integer from 1 to 16777216, got 16777217'],
  [{ ipv6Subnet: 0 }, '.ipv6Subnet: expected an integer from 1 to 128, got 0'],
  [{ ipv6Subnet: 129 }, '.ipv6Subnet: expected an integer from 1 to 128, got 129'],
  [{ ipv6Subnet: '64' }, '.ipv6Subnet: expected an integer from 1 to 128, got "64"']
]

const unknownKeys: readonly RefusedOptions[] = [
  [{ maxx: 5 }, '.maxx: unknown option, did you mean "max"?'],
  [{ timewindow: '1s' }, '.timewindow: unknown option, did you mean "timeWindow"?'],
  [{ keygenerator: () => 'a' }, '.keygenerator: unknown option, did you mean "keyGenerator"?'],
  [{ whatever: true }, '.whatever: unknown option'],
  [{ memory: { maxKey: 5 } }, '.memory.maxKey: unknown option, did you mean "maxKeys"?'],
  [{ limits: [{ ...limit, windows: 5 }] }, '.limits[0].windows: unknown option'],
  [{ limits: [{ ...limit, bursts: 5 }] }, '.limits[0].bursts: unknown option, did you mean "burst"?'],
  [{ 'a/b': 5 }, '."a/b": unknown option']
]

const contradictions: readonly RefusedOptions[] = [
  [{ limits: [limit], max: 5 }, '.max: contradicts limits; put it into one of them'],
  [{ limits: [limit], timeWindow: 5 }, '.timeWindow: contradicts limits; put it into one of them'],
  [{ limits: [limit], burst: 5 }, '.burst: contradicts limits; put it into one of them'],
  [{ limits: [limit, { ...limit, name: 'b' }, limit] }, '.limits[2].name: limits[0] has the name "a" already'],
  [{ algorithm: 'fixed-window', burst: 5 }, '.burst: belongs to a token bucket, and this limit is a fixed-window'],
  [{ limits: [{ ...limit, algorithm: 'sliding-window', burst: 5 }] }, '.limits[0].burst: belongs to a token bucket, and this limit is a sliding-window'],
  [{ algorithm: 'fixed-window', limits: [{ ...limit, burst: 5 }] }, '.limits[0].burst: belongs to a token bucket, and this limit is a fixed-window']
]

testRefusedOptions(t, 'FST_SLUICE_BAD_OPTION', wrongValues)
testRefusedOptions(t, 'FST_SLUICE_UNKNOWN_OPTION', unknownKeys)
testRefusedOptions(t, 'FST_SLUICE_CONTRADICTION', contradictions)
