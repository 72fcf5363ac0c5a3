import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import fc from 'fast-check'
import { readConfigFile, readConfigText, type ConfigFile } from '../../../lib/config/file/config-file.js'
import { ConfigFileSchema } from '../../../lib/config/file/check-file.js'
import type { Layer } from '../../../lib/config/layers/layer.js'
import { RateLimitOptionsSchema } from '../../../lib/config/schema/options-schema.js'
import { assertProperty } from '../../fixtures/property.js'

/** What is said of a file, with the folder left out that only this test has. */
function toldOf (path: string, folder: string): string[] | null {
  const file = readConfigFile(path)
  return 'mistakes' in file ? file.mistakes.map(({ message }) => message.replaceAll(`${folder}/`, '')) : null
}

function layerIn (file: ConfigFile): Layer {
  if ('mistakes' in file) throw file.mistakes[0]
  return file.layer
}

const contents: ReadonlyArray<readonly [why: string, content: string | Buffer, message: string]> = [
  ['of 5 MB', Buffer.alloc(5_000_000, '#'), 'is 5.0 MB; a config file may have 1 MiB at most'],
  ['of one byte over 1 MiB', Buffer.alloc(1_048_577, '#'), 'is 1.1 MB; a config file may have 1 MiB at most'],
  ['that is not UTF-8', Buffer.from('name = "caf\xe9"', 'latin1'), 'is not UTF-8 text'],
  ['in UTF-16', Buffer.from('\ufeffmax = 5', 'utf16le'), 'is UTF-16 text; save it as UTF-8'],
  ['in UTF-16 of the other order', Buffer.from('\ufeffmax = 5', 'utf16le').swap16(), 'is UTF-16 text; save it as UTF-8'],
  ['with NUL bytes', 'max = 5\0', 'contains NUL bytes, so it is not a text file']
]
for (const [why, content, message] of contents) {
  t.test(`a file ${why} is refused in a sentence`, async (t) => {
    const folder = t.testdir({ 'rate-limit.toml': content })
    t.strictSame(toldOf(`${folder}/rate-limit.toml`, folder), [`rate-limit.toml: ${message}`])
  })
}

t.test('a file of exactly 1 MiB is read', async (t) => {
  const folder = t.testdir({ 'rate-limit.toml': Buffer.alloc(1_048_576, '#') })
  t.strictSame(layerIn(readConfigFile(`${folder}/rate-limit.toml`)).options, {})
})

t.test('what is no file is refused in a sentence, and never waited for', async (t) => {
  const folder = t.testdir({ 'a.toml': 'max = 5' })
  symlinkSync('loop.toml', `${folder}/loop.toml`)
  symlinkSync('gone.toml', `${folder}/dangling.toml`)
  execFileSync('mkfifo', [`${folder}/pipe.toml`])
  t.strictSame(toldOf(folder, folder), [`${folder}: is a directory, not a file`])
  t.strictSame(toldOf(`${folder}/loop.toml`, folder), ['loop.toml: is a symbolic link that leads back to itself'])
  t.strictSame(toldOf(`${folder}/dangling.toml`, folder), ['dangling.toml: does not exist'])
  t.strictSame(toldOf(`${folder}/missing.toml`, folder), ['missing.toml: does not exist'])
  t.strictSame(toldOf(`${folder}/a.toml/b.toml`, folder), ['a.toml/b.toml: does not exist, since a part of its path is a file'])
  t.strictSame(toldOf(`${folder}/pipe.toml`, folder), ['pipe.toml: is not a regular file'])
  t.strictSame(toldOf('/dev/zero', folder), ['/dev/zero: is not a regular file'])
  t.strictSame(toldOf('a\0.toml', folder), ['a\\u{0}.toml: cannot be read (ERR_INVALID_ARG_VALUE)'])
})

t.test('a file without read permission is refused in a sentence', async (t) => {
  // Root may read everything, so it reads as somebody else, in a folder that this one may enter.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(`${folder}/shut.toml`, 'max = 5')
  writeFileSync(`${folder}/open.toml`, 'max = 5')
  chmodSync(folder, 0o755)
  chmodSync(`${folder}/shut.toml`, 0)
  chmodSync(`${folder}/open.toml`, 0o644)
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    t.equal(toldOf(`${folder}/open.toml`, folder), null)
    t.strictSame(toldOf(`${folder}/shut.toml`, folder), ['shut.toml: may not be read by this process'])
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

t.test('an error of reading has a code, and the system\'s error as its cause', async (t) => {
  t.match(readConfigFile('missing.toml'), { mistakes: [{ code: 'FST_SLUICE_UNREADABLE_FILE', cause: { code: 'ENOENT' } }] })
  t.match(readConfigFile('lib'), { mistakes: [{ code: 'FST_SLUICE_UNREADABLE_FILE' }] })
  t.match(readConfigText('max =', 'a.toml'), { mistakes: [{ code: 'FST_SLUICE_BAD_SYNTAX', cause: undefined }] })
})

t.test('a file\'s options are those that register would be given', async (t) => {
  const { name, options } = layerIn(readConfigText(`\ufeff# every kind of value
max = 1_000
timeWindow = "1 minute"
enabled = true
tiers.internal = false
tiers.premium = { max = 5, timeWindow = 1000.0 }
refundOn = ["2xx", 304]
redis = { sentinels = [{ host = "10.0.0.1", port = 0x6609 }], name = "main" }

[[rules]]
name = "login"
match = "/login"

[rules.penalty]
factor = 1.5

[[rules]]
name = "made-below" # without a match
max = 5
`, 'rate-limit.toml'))
  t.equal(name, 'file')
  t.strictSame(options, {
    max: 1000,
    timeWindow: '1 minute',
    enabled: true,
    tiers: { internal: false, premium: { max: 5, timeWindow: 1000 } },
    refundOn: ['2xx', 304],
    redis: { sentinels: [{ host: '10.0.0.1', port: 26121 }], name: 'main' },
    rules: [{ name: 'login', match: '/login', penalty: { factor: 1.5 } }, { name: 'made-below', max: 5 }]
  })
})

t.test('an empty file says nothing', async (t) => {
  t.strictSame(layerIn(readConfigText('', 'rate-limit.toml')).options, {})
})

t.test('a layer tells the place of a value, or of the nearest thing around it', async (t) => {
  const { locate } = layerIn(readConfigText('max = 1\n[[rules]]\nname = "login"\nmax = 5\n', './conf/rate-limit.toml'))
  t.equal(locate(['rules', 0, 'max']), './conf/rate-limit.toml:4:1: rules[0].max')
  t.equal(locate(['rules', 0, 'match']), './conf/rate-limit.toml:2:3: rules[0].match')
  t.equal(locate(['redis', 'port']), './conf/rate-limit.toml:1:1: redis.port')
  t.equal(locate([]), './conf/rate-limit.toml:1:1')
})

t.test('nothing in a file changes what all objects inherit', async (t) => {
  readConfigText('[__proto__]\npolluted = true\n[constructor.prototype]\npolluted = true\n[redis]\n__proto__.polluted = true', 'rate-limit.toml')
  t.notOk('polluted' in {})
  t.match(readConfigText('[redis.tls.__proto__]\nca = "x"', 'rate-limit.toml'), {
    mistakes: [{ message: 'rate-limit.toml:1:12: redis.tls.__proto__: unknown option' }]
  })
})

t.test('a hundred mistakes are told, and no more', async (t) => {
  const text = Array.from({ length: 300 }, (_, index) => `date${index} = 1979-05-27`).join('\n')
  const file = readConfigText(text, 'rate-limit.toml')
  t.equal('mistakes' in file && file.mistakes.length, 100)
})

const SECRETS: readonly string[] = [
  'redis = "redis://app:open/sesame@127.0.0.1:6379"',
  'redis = "redis://app:1?open=sesame@127.0.0.1:6379"',
  'redis = "http://app:sesame@127.0.0.1"',
  'redis = "redis://:sesame@"',
  'redis = { port = "redis://app:sesame@127.0.0.1" }',
  'redis = { sentinels = "redis://app:sesame@127.0.0.1", name = "main" }',
  'redis = { cluster = [["redis://app:sesame@127.0.0.1"]] }',
  'redis = { host = "127.0.0.1", password = ["sesame"] }',
  'redis = { host = "127.0.0.1", password = "sesame", prt = 1 }',
  'redis = ["redis://app:sesame@127.0.0.1"]',
  'redis = { host = "127.0.0.1", password = "sesame" port = 6379 }',
  'redis = { host = "127.0.0.1", password = "sesame }',
  'redis = { host = "127.0.0.1", password = sesame }',
  '[redis]\npassword = "sesame"\npassword = "sesame"'
]
t.test('no mistake shows a password, whatever is wrong beside it or with it', async (t) => {
  for (const text of SECRETS) {
    const file = readConfigText(text, 'rate-limit.toml')
    t.ok('mistakes' in file, text)
    if (!('mistakes' in file)) continue
    for (const error of file.mistakes) t.notMatch(`${error.message}${error.stack}${String(error.cause)}`, /sesame/, text)
  }
})

t.test('whatever a file holds, it is a layer or mistakes of one line each, in the order of the lines', async () => {
  const bad = readdirSync('test/config/file/bad').map((name) => readFileSync(`test/config/file/bad/${name}`, 'utf8'))
  const spoilt = fc.tuple(fc.constantFrom(...bad), fc.nat(400), fc.nat(20), fc.constantFrom('', '"', '[', ']]', '{', '=', '\n', '__proto__', '1979-05-27', '"\\n\\u2028"', '.', '99999999999999999999'))
  assertProperty(spoilt, 1500, ([text, at, length, piece]) => {
    const file = readConfigText(text.slice(0, at) + piece + text.slice(at + length), 'rate-limit.toml')
    if (!('mistakes' in file)) return
    const places = file.mistakes.map(({ message }) => /^rate-limit\.toml:(\d+):\d+: [^\n\r\u2028]+$/.exec(message))
    if (places.includes(null)) throw new Error(file.mistakes.map(({ message }) => message).join('\n'))
    const lines = places.map((place) => Number(place?.[1]))
    if (lines.some((line, index) => line < lines[Math.max(index - 1, 0)])) throw new Error(`out of order: ${lines.join()}`)
  })
})

t.test('a file may hold every option of register that needs no code, and the schema of a file is a JSON schema', async (t) => {
  const codeOnly = ['keyGenerator', 'errorResponseBuilder', 'onExceeding', 'onExceeded', 'onBlocked', 'configFile', 'environment', 'store', 'clock']
  const inFile: unknown = JSON.parse(JSON.stringify(ConfigFileSchema))
  t.match(inFile, { type: 'object', additionalProperties: false, properties: { rules: { items: { required: ['name'] } } } })
  t.notMatch(JSON.stringify(inFile), /Function|\bfunction\b/)
  t.strictSame(Object.keys(ConfigFileSchema.properties).sort(), Object.keys(RateLimitOptionsSchema.properties).filter((key) => !codeOnly.includes(key)).sort())
  t.match(ConfigFileSchema.properties.identify, { properties: { custom: undefined }, expected: 'an object: { jwt?, defaultTier?, deadline?, maxFailures? }' })
})
