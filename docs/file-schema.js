/**
 * Makes the JSON schema of config files, by which editors complete and check them.
 *
 *   node docs/file-schema.js           writes rate-limit.schema.json
 *   node docs/file-schema.js --check   exits 1 when it is not current
 *
 * Draft 7 in its plainest words: Taplo (of which Even Better TOML is made) promises no more than draft 4, and completes
 * from `enum`, `type` and `default`. Nothing is referred to by `$ref`, beside which it reads no description.
 */
import { DURATION_EXPECTED } from '../.modules/config/schema/durations.js'
import { ConfigFileSchema } from '../.modules/config/file/check-file.js'
import { keep } from './generated.js'

const UNITS = 'ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|y|yrs?|years?'

/** A number above 0 and at most one unit. */
const DURATION = `^\\s*(\\d*[1-9]\\d*(\\.\\d+)?|\\d*\\.\\d*[1-9]\\d*) *(${anyCase(UNITS)})?\\s*$`

/** An address or a network by the letters that it may have; the rest is for the code to read. */
const NETWORK = '[0-9.]+(/[0-9]+)?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[^/]+)?(/[0-9]+)?'

const NODES = {
  type: 'array',
  minItems: 1,
  items: { type: ['object', 'string'], properties: { host: { type: 'string' }, port: port() }, additionalProperties: true }
}

/**
 * What the schema of the code leaves to checks, or to the table around it, by the end of the path: `[]` is an entry of a
 * list, `*` a name. Nothing here may refuse what a file may hold.
 */
const WORDS = {
  'limits[]': { title: 'A limit' },
  'limits[].name': { description: 'The limit in messages, headers and metrics, and a part of the name of its buckets.', examples: ['burst', 'hourly'] },
  'tiers.*': { description: 'Limits of this tier, or `false`: unlimited.' },
  'refundOn[]': { description: 'A status, or a class of them.', examples: ['2xx', 304] },
  'rules[]': { title: 'A rule' },
  'rules[].name': { description: 'The rule in messages and metrics, and a part of the name of its buckets. A rule of this name in the code is changed by this one, field by field.', examples: ['login'] },
  'rules[].match': { description: 'Which paths the rule is for: a `*` or `:name` is one segment, a last `*` all that follows. A rule of the code has one already.', examples: ['/login', '/api/*', '/api/:version/reports'] },
  'rules[].methods': { description: 'Only requests with these methods; HEAD counts as GET. Default: all.' },
  'rules[].methods[]': { examples: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] },
  'rules[].override': { default: false, description: 'Whether the rule holds also for routes that have limits of their own, or `false`.' },
  'trustedProxies[]': { pattern: `^(loopback|private|unix|${NETWORK})$`, examples: ['loopback', 'private', 'unix', '10.0.0.0/8'] },
  'exempt.ips[]': { pattern: `^(loopback|private|${NETWORK})$`, examples: ['192.0.2.7', '2001:db8::/32', 'loopback', 'private'] },
  'exempt.routes[]': { examples: ['/health', '/assets/*'] },
  'health.path': { default: '/health/rate-limit', description: 'Where the route is, below the prefix of the registration.' },
  'health.allow': { default: ['loopback', 'private'], description: 'The networks that may ask; others get 404.' },
  'health.allow[]': { pattern: `^(loopback|private|${NETWORK})$`, examples: ['10.0.0.0/8'] },
  'metrics.path': { default: '/metrics', description: 'Where the route is, below the prefix of the registration.' },
  'metrics.allow': { default: ['loopback', 'private'], description: 'The networks that may ask; others get 404.' },
  'metrics.allow[]': { pattern: `^(loopback|private|${NETWORK})$`, examples: ['10.0.0.0/8'] },
  'admin.prefix': { default: '/admin/rate-limit', description: 'What the routes are below, itself below the prefix of the registration.' },
  'admin.allow': { default: ['loopback', 'private'], description: 'The networks that may use them; others get 404.' },
  'admin.openapi': { default: false },
  'admin.page': { default: false },
  'admin.allow[]': { pattern: `^(loopback|private|${NETWORK})$`, examples: ['10.0.0.0/8'] },
  redis: {
    anyOf: [
      { title: 'A URL', type: 'string', pattern: `^${anyCase('rediss?://')}`, examples: ['redis://127.0.0.1:6379', 'rediss://user:password@redis.example:6380/0'] },
      {
        title: 'Options of ioredis',
        type: 'object',
        properties: {
          host: { type: 'string', description: 'One server.' },
          port: port(),
          username: { type: 'string' },
          password: { type: 'string' },
          db: { type: ['integer', 'string'], minimum: 0, description: 'The number of its database.' },
          tls: { description: 'Options of `tls.connect`; an empty table for their defaults.' },
          sentinels: { ...NODES, description: 'The sentinels, as `{ host, port }`; `name` is their name for the primary.' },
          name: { type: 'string', description: 'The name by which the sentinels know the primary.' },
          sentinelUsername: { type: 'string' },
          sentinelPassword: { type: 'string' },
          cluster: { ...NODES, description: 'A few nodes of a Cluster, as `{ host, port }`.' },
          redisOptions: { type: 'object', additionalProperties: true, description: 'Options of the connection to each node of a Cluster: `username`, `password`, `tls`.' }
        },
        additionalProperties: true
      }
    ]
  }
}

/** As for ioredis, numbers may be text. */
function port () {
  return { type: ['integer', 'string'], minimum: 1, maximum: 65_535 }
}

/** The same pattern for letters of either case: those of JSON schemas have no flags. */
function anyCase (pattern) {
  return pattern.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)
}

/** A schema as editors like it, what people read of it first. `path`: of the option, for its words. */
function editorSchema (schema, path = '') {
  const { title, description, default: preset, ...form } = { ...formOf(schema, path), ...wordsFor(path) }
  return { title, description: description?.replace(/`[^`]+`/g, inToml), default: preset, ...form }
}

/** What is written in code as a file has it. */
function inToml (code) {
  return code.replaceAll(': ', ' = ')
}

function formOf (schema, path) {
  const { expected, anyOf, properties, patternProperties, items, ...notes } = schema
  if (expected === DURATION_EXPECTED) {
    return { ...notes, type: ['integer', 'string'], minimum: 1, pattern: DURATION, examples: ['500ms', '10s', '1 minute', '1 hour', '1 day'] }
  }
  if (anyOf?.every((form) => form.const !== undefined)) return { ...notes, type: anyOf[0].type, enum: anyOf.map((form) => form.const) }
  if (anyOf !== undefined) return { ...notes, anyOf: anyOf.map((form) => form.const === undefined ? formOf(form, path) : { type: form.type, enum: [form.const] }) }
  if (properties !== undefined) return { ...notes, properties: mapped(properties, (option, key) => editorSchema(asInherited(option, key, path), path === '' ? key : `${path}.${key}`)) }
  if (patternProperties !== undefined) return { ...notes, patternProperties: mapped(patternProperties, (option) => editorSchema(option, `${path}.*`)) }
  if (items !== undefined) return { ...notes, items: editorSchema(items, `${path}[]`) }
  return notes
}

/** In a rule, a tier or a limit, what is not said comes from the policy around it: nothing is the default there. */
function asInherited (option, key, path) {
  const { default: _, ...others } = option
  return /(?:\[\]|\.\*)$/.test(path) && Object.hasOwn(ConfigFileSchema.properties, key) ? others : option
}

const unused = new Set(Object.keys(WORDS))

function wordsFor (path) {
  const end = Object.keys(WORDS).find((end) => path === end || path.endsWith(`.${end}`))
  unused.delete(end)
  return WORDS[end]
}

function mapped (options, change) {
  return Object.fromEntries(Object.entries(options).map(([key, option]) => [key, change(option, key)]))
}

// JSON leaves out what TypeBox keeps under symbols.
const schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  ...editorSchema(JSON.parse(JSON.stringify(ConfigFileSchema))),
  title: 'fastify-sluice',
  description: 'Limits that a config file of fastify-sluice sets.'
}
if (unused.size > 0) throw new Error(`no option ${[...unused].join(', ')}`)

// Every option on a line of its own: with all its indentation the file would weigh twice as much.
const { properties, ...rest } = schema
const lines = Object.entries(properties).map(([key, option]) => `${JSON.stringify(key)}:${JSON.stringify(option)}`).join(',\n')
keep('rate-limit.schema.json', `${JSON.stringify(rest).slice(0, -1)},"properties":{\n${lines}\n}}\n`)
