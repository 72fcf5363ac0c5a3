import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { Readable } from 'node:stream'
import t from 'tap'
import { assertProperty } from '../../fixtures/property.js'
import { run } from '../command.js'
import { parseLog } from './replay-log.js'

const TIME = Date.UTC(2026, 0, 31, 13, 5, 6) * 1000

interface Case {
  readonly name: string
  readonly text: string
  readonly expected: Readonly<Record<string, unknown>>
}

const ALB = 'https 2026-01-31T13:05:06.500000Z app/my-lb/50dc6c495c0c9188 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 ' +
  '"GET https://www.example.com:443/a?b=1 HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-5-1" "www.example.com" ' +
  '"arn:aws:acm:us-east-2:1:certificate/1" 1 2026-01-31T13:05:06.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"'

const GET = { timeUs: TIME, address: '203.0.113.9', method: 'GET', path: '/a', status: 200 }

const cases: readonly Case[] = [
  {
    name: 'the common log format',
    text: '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET /a?b=1 HTTP/1.1" 200 2326',
    expected: GET
  }, {
    name: 'the combined log format, in another time zone, with a user who looks like a time',
    text: '2001:db8::1 - [31/Feb] [x [31/Jan/2026:14:05:06 +0100] "POST /a HTTP/2.0" 201 5 "https://example.com/" "curl \\"8\\""\r',
    expected: { timeUs: TIME, address: '2001:db8::1', method: 'POST', path: '/a', status: 201 }
  }, {
    name: 'a URL with quotes, as Apache escapes them, and with text outside of ASCII',
    text: '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET /\\"é HTTP/1.1" 404 -',
    expected: { ...GET, path: '/\\"é', status: 404 }
  }, {
    name: 'a request to a proxy, without a version',
    text: '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET http://example.com?x=1" 200 1',
    expected: { ...GET, path: '/' }
  }, {
    name: 'AWS ALB, at the time of the request',
    text: ALB,
    expected: GET
  }, {
    name: 'AWS ALB, an IPv6 address',
    text: ALB.replace('203.0.113.9:2817', '[2001:db8::1]:2817'),
    expected: { ...GET, address: '2001:db8::1' }
  }, {
    name: 'Cloudflare Logpush',
    text: '{"ClientIP":"203.0.113.9","ClientRequestMethod":"GET","ClientRequestURI":"/a?b=1","EdgeResponseStatus":200,"EdgeStartTimestamp":"2026-01-31T13:05:06Z"}',
    expected: GET
  }, {
    name: 'Cloudflare Logpush, with nanoseconds since 1970',
    text: `{"ClientIP":"203.0.113.9","ClientRequestMethod":"GET","ClientRequestPath":"/a","EdgeResponseStatus":200,"EdgeStartTimestamp":${TIME}000}`,
    expected: { ...GET }
  }, {
    name: 'Fastify, with the status of the response',
    text: `{"level":30,"time":${TIME / 1000},"pid":1,"hostname":"web","reqId":"req-1","req":{"method":"GET","url":"/a?b=1","remoteAddress":"203.0.113.9"},"msg":"incoming request"}
{"level":30,"time":${TIME / 1000},"pid":2,"hostname":"web","reqId":"req-1","res":{"statusCode":500},"msg":"request completed"}
{"level":50,"time":${TIME / 1000},"pid":1,"hostname":"web","reqId":"req-1","msg":"something else"}
{"level":30,"time":${TIME / 1000},"pid":1,"hostname":"web","reqId":"req-1","res":{"statusCode":200},"msg":"request completed"}`,
    expected: GET
  }, {
    name: 'CSV with named columns',
    text: `Status,Request_URI,Client-IP,note,timestamp,user_id,plan,units,method\n200,"/a?b=1",203.0.113.9,"a ""note"", with commas",${TIME / 1_000_000},42,premium,3,get`,
    expected: { ...GET, given: { route: null, user: '42', key: null, tier: 'premium', cost: 3, isExempt: false } }
  }, {
    name: 'CSV with semicolons, and without a method',
    text: 'time;ip;path\n2026-01-31T14:05:06+01:00;203.0.113.9;/a?b=1',
    expected: { ...GET, status: null }
  }, {
    name: 'JSON lines with hashed clients, their tier, and the cost',
    text: `{"time":${TIME / 1000},"address":"ip#0123456789abcdef","user":"user#0123456789abcdef","tier":"premium","method":"GET","url":"/a","route":"/:name","cost":2,"outcome":"rejected","limit":"default"}`,
    expected: {
      timeUs: TIME,
      address: 'ip#0123456789abcdef',
      method: 'GET',
      path: '/a',
      status: null,
      given: { route: '/:name', user: 'user#0123456789abcdef', key: null, tier: 'premium', cost: 2, isExempt: false }
    }
  }
]

for (const { name, text, expected } of cases) {
  t.test(`reads ${name}`, async (t) => {
    const { entries, counts } = parseLog(text, 1_000_000)
    t.equal(counts.bad, 0)
    t.equal(entries.length, 1)
    t.match(entries[0], expected)
  })
}

t.test('a line without a known format is counted and shown with its number, never fatal', async (t) => {
  const good = '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1'
  const bad = [
    'not a log',
    '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"',
    '203.0.113.9 - - [31/Foo/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1',
    '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET /',
    '{"time":1',
    '{"time":"x","ip":"203.0.113.9","url":"/"}',
    'https 2026-01-31T13:05:06.500000Z app/my-lb/50dc6c495c0c9188'
  ]
  const { entries, counts } = parseLog(`${good}\n${bad.join('\n')}\n${good}`)
  t.equal(entries.length, 2)
  t.strictSame([counts.lines, counts.requests, counts.bad], [9, 2, 7])
  t.strictSame(counts.shown.map(({ line }) => line), [2, 3, 4, 5, 6, 7, 8])
  t.equal(counts.shown[0].text, 'not a log')
})

t.test('lines of any length are split, and one that is too long is skipped alone', async (t) => {
  const good = '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1'
  const { entries, counts } = parseLog([good, 'x'.repeat(200_000), good, ''].join('\n'))
  t.strictSame([entries.length, counts.lines, counts.bad], [2, 3, 1])
})

t.test('requests are put in order within the window', async (t) => {
  const lines = [5, 1, 3, 3, 30, 2].map((second, index) => JSON.stringify({ time: TIME / 1000 + second * 1000, ip: '203.0.113.9', url: `/${index}` }))
  t.strictSame(parseLog(lines.join('\n'), 10_000_000).entries.map(({ path }) => path), ['/1', '/2', '/3', '/0', '/5', '/4'])
})

t.test('gzip and standard input are read, several files one after the other', async (t) => {
  const line = (address: string) => `${address} - - [31/Jan/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1\n`
  const cwd = t.testdir({ 'a.log.gz': gzipSync(Buffer.concat([Buffer.from(line('203.0.113.9'))])), 'b.csv': 'time,ip,path\n2026-01-31T13:05:06Z,203.0.113.8,/' })
  const stdin = Readable.from([Buffer.from(line('203.0.113.7')), Buffer.from(line('203.0.113.6').slice(0, 20)), Buffer.from(line('203.0.113.6').slice(20))])
  const { status, stdout } = await run(['simulate', '--log', 'a.log.gz', '--log', 'b.csv', '--log', '-', '--json'], { cwd, stdin })
  t.equal(status, 0)
  t.match(JSON.parse(stdout), { log: { lines: 5, requests: 4, others: 1 }, config: { clients: { count: 4 } } })
})

t.test('a log that ends early or is missing is reported after what was read of it', async (t) => {
  const text = '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1\n'.repeat(5000)
  const packed = gzipSync(text)
  const cwd = t.testdir({ 'a.log.gz': packed.subarray(0, packed.length - 20) })
  const { status, stdout, stderr } = await run(['simulate', '--log', 'a.log.gz', '--log', 'none.log'], { cwd })
  t.equal(status, 1)
  t.match(stderr, /a\.log\.gz: unexpected end of file\nfastify-sluice: none\.log: ENOENT/)
  t.match(stdout, 'requests refused')
})

t.test('no bytes stop the parsers, and every line is counted', async (t) => {
  const valid = cases.map(({ text }) => Buffer.from(text))
  const damaged = fc.tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 })), { maxLength: 8 })).map(([bytes, changes]) => {
    const copy = Buffer.from(bytes)
    for (const [position, byte] of changes) copy[position % copy.length] = byte
    return copy
  })
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  assertProperty(fc.array(fc.oneof(damaged, anything), { minLength: 1, maxLength: 12 }), 2000, (lines) => {
    const { entries, counts } = parseLog(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])).toString('latin1'), 1_000_000)
    t.equal(counts.requests + counts.others + counts.bad, counts.lines)
    t.equal(entries.length, counts.requests)
    for (const { timeUs, address, method, path } of entries) {
      if (!Number.isSafeInteger(timeUs) || address === '' || method === '' || path === '') throw new Error('an incomplete entry')
    }
  })
})
