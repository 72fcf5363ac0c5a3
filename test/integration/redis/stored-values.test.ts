// Stored values that are read, and the same with one number too large or too small, which are damaged.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { composeScript } from '../../../lib/stores/redis/scripts.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)
const script = composeScript(readFileSync(new URL('stored-vector.lua', import.meta.url), 'utf8'))

const NOW_US = 1_790_000_000_000_000
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const MAX_WINDOW_US = 2 ** 50
const MAX_UNITS = 2 ** 40 - 1

/** A number and its bytes, big-endian; a text; or a double. */
type Field = readonly [value: number, bytes: number] | string | { readonly double: number }

function pack (...fields: readonly Field[]): string {
  return Buffer.concat(fields.map((field) => {
    if (typeof field === 'string') return Buffer.from(field, 'latin1')
    const bytes = Buffer.alloc(8)
    if (!('double' in field)) {
      bytes.writeBigUInt64BE(BigInt(field[0]))
      return bytes.subarray(8 - field[1])
    }
    bytes.writeDoubleBE(field.double)
    return bytes
  })).toString('hex')
}

interface Numbers { readonly max?: number, readonly windowUs?: number, readonly timeUs?: number, readonly count?: number }

function tokenBucket ({ max = 10, windowUs = 7, timeUs = NOW_US, count = 3 }: Numbers = {}): string {
  return pack('T', [max, 4], [20, 4], [windowUs, 7], [timeUs, 7], [count, 4])
}

const createWindow = (tag: 'F' | 'C') => ({ max = 10, windowUs = 7, timeUs = NOW_US, count = 3 }: Numbers = {}): string =>
  pack(tag, [max, 4], [windowUs, 7], [timeUs, 7], [count, 5])

interface Log { readonly firstUs?: number, readonly newestUs?: number, readonly newest?: number, readonly total?: number, readonly baseUs?: number, readonly lastUs?: number, readonly body?: string, readonly windowUs?: number }

function slidingWindow (log: Log = {}): string {
  const { firstUs = NOW_US, newestUs = NOW_US, newest = 2, body = '', total = body === '' ? 2 : 3, lastUs = NOW_US - 1, baseUs = lastUs, windowUs = 7 } = log
  return pack('S', [10, 4], [windowUs, 7], [firstUs, 7], [newestUs, 7], [newest, 5], [total, 5], [baseUs, 7], [lastUs, 7], body)
}

interface Overuse { readonly atUs?: number, readonly units?: number, readonly max?: number, readonly windowUs?: number, readonly bucket?: string }

function overuse ({ atUs = NOW_US, units = 30.5, max = 10, windowUs = 7, bucket = tokenBucket() }: Overuse = {}): string {
  return pack('U', [atUs, 7], { double: units }, [max, 4], [windowUs, 7]) + bucket
}

interface Leases { readonly slotEndUs?: number, readonly gridUs?: number, readonly version?: number, readonly bucket?: string }

function leases ({ slotEndUs = NOW_US, gridUs = 100, version = 1, bucket = tokenBucket() }: Leases = {}): string {
  return pack('U', [slotEndUs, 7], { double: -0 }, [gridUs, 4], [version, 1], [5, 3], [6, 3]) + bucket
}

interface Penalty { readonly level?: number, readonly startUs?: number, readonly quietFromUs?: number, readonly blockUs?: number }

function penalty ({ level = 2, startUs = NOW_US, quietFromUs = NOW_US, blockUs = 8 }: Penalty = {}): string {
  return pack('P', [3, 4], [level, 1], [startUs, 7], [quietFromUs, 7], [blockUs, 7])
}

interface Holder { readonly sequence?: number, readonly slots?: number, readonly endsUs?: number, readonly leaseMs?: number }

function holder ({ sequence = 4, slots = 2, endsUs = NOW_US + 1000, leaseMs = 1000 }: Holder = {}): string {
  return pack('instance', [sequence, 7], [slots, 4], [endsUs, 7], [leaseMs, 4])
}

const slots = (...holders: readonly string[]) => pack('C') + holders.join('')

const [fixedWindow, calendarWindow] = [createWindow('F'), createWindow('C')]
const body = (bytes: number) => '\x02\x01'.repeat(bytes / 2) + '\x01'.repeat(bytes % 2)
const EMPTY_LOG = { firstUs: 0, newestUs: 0, newest: 0, total: 0, baseUs: 0, lastUs: 0 }

const READ: Readonly<Record<string, readonly string[]>> = {
  'a token bucket': [tokenBucket(), tokenBucket({ count: 9 }), tokenBucket({ windowUs: 1 }), tokenBucket({ windowUs: MAX_WINDOW_US }), tokenBucket({ timeUs: MAX_SAFE - 1 })],
  'a window': [fixedWindow, calendarWindow].flatMap((create) => [create(), create({ count: 0 }), create({ windowUs: 1 }), create({ windowUs: MAX_WINDOW_US }), create({ timeUs: MAX_SAFE - 1 })]),
  'a log': [
    slidingWindow({ lastUs: NOW_US }), slidingWindow({ newest: 1, total: 1 }), slidingWindow(EMPTY_LOG), slidingWindow({ newestUs: MAX_SAFE - 1 }),
    slidingWindow({ body: body(2) }), slidingWindow({ body: body(2048) }), slidingWindow({ body: body(2), baseUs: NOW_US - 3, lastUs: NOW_US }), slidingWindow({ windowUs: MAX_WINDOW_US })
  ],
  'an overuse': [
    overuse(), overuse({ units: 0 }), overuse({ units: MAX_UNITS }), overuse({ max: 1 }), overuse({ atUs: MAX_SAFE - 1 }), overuse({ windowUs: MAX_WINDOW_US, units: 3 }),
    overuse({ units: 441_650_591, max: 1, windowUs: 20_394_401 }), ...[fixedWindow(), calendarWindow(), slidingWindow()].map((bucket) => overuse({ bucket }))
  ],
  leases: [leases(), leases({ slotEndUs: 1 }), leases({ slotEndUs: MAX_SAFE - 1 }), leases({ gridUs: 1 }), leases({ bucket: overuse() })],
  'a penalty': [penalty(), penalty({ level: 100 }), ...(['startUs', 'quietFromUs', 'blockUs'] as const).map((name) => penalty({ [name]: MAX_SAFE - 1 }))],
  slots: [slots(), slots(holder()), slots(holder(), holder({ slots: 0 })), slots(holder({ sequence: MAX_SAFE - 1 })), slots(holder({ slots: 1_000_000 })), slots(holder({ leaseMs: 3_600_000 }))]
}

const DAMAGED: Readonly<Record<string, readonly string[]>> = {
  'a token bucket': [
    tokenBucket({ count: 11 }), tokenBucket({ windowUs: 0 }), tokenBucket({ windowUs: MAX_WINDOW_US + 1 }), tokenBucket({ timeUs: MAX_SAFE }), `${tokenBucket()}00`, tokenBucket().slice(2), tokenBucket().slice(0, -2)
  ],
  'a window': [fixedWindow, calendarWindow].flatMap((create) => [
    create({ windowUs: 0 }), create({ windowUs: MAX_WINDOW_US + 1 }), create({ timeUs: MAX_SAFE }), `${create()}00`, create().slice(2), create().slice(0, -2)
  ]),
  'a log': [
    slidingWindow({ newest: 0, total: 5, body: body(2) }), slidingWindow({ total: 3 }), slidingWindow({ total: 2, body: body(2) }), slidingWindow({ total: 1 }), slidingWindow({ ...EMPTY_LOG, body: body(2) }),
    slidingWindow({ body: body(2049) }), slidingWindow({ body: body(2), baseUs: NOW_US }), slidingWindow({ baseUs: NOW_US - 2 }), slidingWindow({ lastUs: NOW_US + 1 }), slidingWindow({ firstUs: NOW_US + 1 }),
    slidingWindow({ newestUs: MAX_SAFE }), slidingWindow({ windowUs: 0 }), slidingWindow({ windowUs: MAX_WINDOW_US + 1 }), slidingWindow().slice(0, -2)
  ],
  'an overuse': [
    overuse({ units: -1 }), overuse({ units: NaN }), overuse({ units: MAX_UNITS + 1 }), overuse({ max: 0 }), overuse({ atUs: MAX_SAFE }), overuse({ windowUs: MAX_WINDOW_US + 1, units: 0 }),
    overuse({ units: 8, max: 1, windowUs: MAX_WINDOW_US }), overuse({ bucket: '' }), overuse({ bucket: overuse() }), overuse().slice(0, 20)
  ],
  leases: [
    leases({ slotEndUs: 0 }), leases({ slotEndUs: MAX_SAFE }), leases({ gridUs: 0 }), leases({ version: 2 }), leases({ version: 0 }), leases({ bucket: fixedWindow() }), leases({ bucket: '' }),
    leases({ bucket: leases() }), leases({ bucket: overuse({ bucket: fixedWindow() }) }), leases({ bucket: overuse({ bucket: leases() }) }), leases().slice(0, 40)
  ],
  'a penalty': [penalty({ level: 101 }), ...(['startUs', 'quietFromUs', 'blockUs'] as const).map((name) => penalty({ [name]: MAX_SAFE })), `${penalty()}00`, penalty().slice(0, -2)],
  slots: [slots(holder({ sequence: MAX_SAFE })), slots(holder({ slots: 1_000_001 })), slots(holder({ leaseMs: 3_600_001 })), slots(holder()).slice(0, -2)],
  'another value': ['', pack('x'), pack('X') + tokenBucket().slice(2)]
}

async function evaluate (values: readonly string[]): Promise<[written: string[], ttlsUs: string[]]> {
  return await redis.eval(script.lua, 0, '', JSON.stringify(values), String(NOW_US)) as [string[], string[]]
}

async function rewrite (values: readonly string[]): Promise<string[]> {
  return (await evaluate(values))[0]
}

for (const [title, values] of Object.entries(READ)) {
  t.test(`${title} is read, and written as it was`, async (t) => {
    t.strictSame(await rewrite(values), values)
  })
}

for (const [title, values] of Object.entries(DAMAGED)) {
  t.test(`${title} that no version writes counts as damaged`, async (t) => {
    t.strictSame(await rewrite(values), values.map(() => ''))
  })
}

t.test('an entry of slots that has ended is dropped, and one that ends too late ends with its lease', async (t) => {
  const late = holder({ endsUs: NOW_US + 2_000_000 })
  const [ended, shortened] = await rewrite([slots(holder({ endsUs: NOW_US }), holder({ endsUs: NOW_US + 1 })), slots(late)])
  t.equal(ended, slots(holder({ endsUs: NOW_US + 1 })))
  t.equal(shortened, slots(holder({ endsUs: NOW_US + 1_000_000 })))
})

const TTLS: ReadonlyArray<readonly [title: string, value: string, ttlUs: number]> = [
  ['a token bucket lives until its TAT', tokenBucket({ timeUs: NOW_US + 5, count: 0 }), 5],
  ['a started microsecond is counted', tokenBucket({ timeUs: NOW_US + 5, count: 1 }), 6],
  ['a token bucket that is full again has no time left', tokenBucket({ count: 0 }), 0],
  ['a fixed window lives until its end', fixedWindow({ timeUs: NOW_US - 2 }), 5],
  ['a fixed window without units has no time left', fixedWindow({ count: 0 }), 0],
  ['a fixed window with one unit has', fixedWindow({ count: 1 }), 7],
  ['a calendar window lives until its end', calendarWindow({ timeUs: NOW_US + 9, count: 1 }), 9],
  ['a calendar window without units has no time left', calendarWindow({ timeUs: NOW_US + 9, count: 0 }), 0],
  ['a log lives until its newest entry expires', slidingWindow({ newestUs: NOW_US + 3 }), 10],
  ['a log without grants has no time left', slidingWindow(EMPTY_LOG), 0],
  ['an overuse of 30.5 units lives for 21.35 microseconds', overuse(), 22],
  ['the bucket of an overuse may live for longer', overuse({ bucket: tokenBucket({ timeUs: NOW_US + 50, count: 0 }) }), 50],
  ['11 leased units live until two grids after their slot', leases(), 200],
  ['the bucket of leases may live for longer', leases({ bucket: tokenBucket({ timeUs: NOW_US + 500, count: 0 }) }), 500],
  ['leased units that drain for longer live until they have', leases({ bucket: tokenBucket({ windowUs: 1000 }) }), 1200]
]

for (const [title, value, ttlUs] of TTLS) {
  t.test(title, async (t) => { t.strictSame(await evaluate([value]), [[value], [String(ttlUs)]]) })
}
