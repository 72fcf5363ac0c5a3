import type { Static } from '@sinclair/typebox'
import type { Clock } from '../../common/clock.js'
import type { RedisTarget } from '../../stores/redis/connect.js'
import type { Store } from '../../stores/store.js'
import { AdminSchema } from './admin-schema.js'
import { ExemptSchema, IdentifySchema, TrustedProxiesSchema } from './identity-schema.js'
import { LogSchema } from './log-schema.js'
import { MetricsSchema } from './metrics-schema.js'
import { NetworkList } from './network-list.js'
import { IntegerRange, Duration, BooleanOption, Name, StringEnum, RoutePath } from './option-types.js'
import { defaultedLimit, policyOptions, RuleSchema } from './policy-schema.js'
import { RecordSchema } from './record-schema.js'
import { Type } from './type-builder.js'

export const STORE_EXPECTED = 'a store: an object with a `kind` and the methods take, peek, adjust, reset and ping'

export const CLOCK_EXPECTED = 'a clock: an object with the method nowUs'

/** Schema of the options that `register` takes. */
export const RateLimitOptionsSchema = Type.Object({
  ...policyOptions,
  ...defaultedLimit,
  name: Type.Optional(Name({ description: 'Name of this registration in keys and metrics. Default: its prefix, or `app`.' })),
  global: Type.Optional(BooleanOption({
    default: true, description: 'Whether the limits given here also apply to routes without limits of their own and to unknown URLs.'
  })),
  enabled: Type.Optional(BooleanOption({ default: true, description: '`false` allows every request uncounted.' })),
  rules: Type.Optional(Type.Array(RuleSchema, {
    maxItems: 1000,
    expected: 'an array of rules',
    description: 'Policies for routes by pattern: `{ name, match: \'/api/*/reports\', methods?, override?, max, timeWindow, ... }`. ' +
      'The most specific rule wins. A rule with `override: true` also applies to routes that have limits of their own or `false`.'
  })),
  identify: Type.Optional(IdentifySchema),
  trustedProxies: Type.Optional(TrustedProxiesSchema),
  exempt: Type.Optional(ExemptSchema),
  memory: Type.Optional(Type.Object({
    maxKeys: Type.Optional(IntegerRange(1, 16_777_216, {
      default: 100_000,
      description: 'Buckets kept in memory. No bucket in use is evicted. Above this number new clients share the budget of their ' +
        'network, an IPv4 /16 or IPv6 /32.'
    }))
  }, { additionalProperties: false, expected: 'an object: { maxKeys? }', description: 'The memory store.' })),
  ipv6Subnet: Type.Optional(IntegerRange(1, 128, {
    default: 56, description: 'Prefix length in bits. IPv6 addresses with the same prefix count as one client.'
  })),
  redis: Type.Optional(Type.Unsafe<RedisTarget | false | undefined>(Type.Any({
    expected: 'a URL, ioredis options, { sentinels, name }, { cluster: [nodes] }, or a client',
    description: 'Redis (6.2 or newer) or Valkey, for limits shared by all instances. ' +
      'A client of yours is used as it is, and never closed. `false` means the memory store.'
  }))),
  keyPrefix: Type.Optional(Type.String({
    pattern: '^[^{}\\s]{0,64}$',
    default: 'sluice:',
    expected: 'at most 64 characters without braces and spaces',
    description: 'Prefix of every key in Redis.'
  })),
  store: Type.Optional(Type.Unsafe<Store>(Type.Any({
    expected: STORE_EXPECTED,
    description: 'A custom store in place of Redis. It gets the same deadline and circuit breaker as Redis, and is never closed.'
  }))),
  clock: Type.Optional(Type.Unsafe<Clock>(Type.Any({
    expected: CLOCK_EXPECTED,
    description: 'The clock that limits are counted by, for tests: a `ManualClock` of `fastify-sluice/testing`. ' +
      'The default is the monotonic clock of the process. Redis always counts by its own clock.'
  }))),
  deadline: Type.Optional(IntegerRange(1, 5000, {
    default: 50,
    description: 'Milliseconds that a store call may take, including connecting and queueing. After that the failure mode applies. ' +
      'A connection to Redis may take three times as long, at least 700, or the `connectTimeout` in `redis`.'
  })),
  breaker: Type.Optional(Type.Object({
    failures: Type.Optional(Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 5,
      expected: 'an integer of 1 or more',
      description: 'Failed calls after which the breaker opens, if they are at least half of the calls in `within`. ' +
        'An open breaker makes no call for `openFor`.'
    })),
    within: Type.Optional(Duration({ default: '10s', description: 'The time in which failed calls are counted.' })),
    openFor: Type.Optional(Duration({ default: '5s', description: 'How long the breaker stays open. Then a single probe decides.' }))
  }, {
    additionalProperties: false,
    expected: 'an object: { failures?, within?, openFor? }',
    description: 'The circuit breaker, which stops calls to a failing store.'
  })),
  connections: Type.Optional(IntegerRange(1, 16, { default: 1, description: 'Number of connections to Redis.' })),
  maxPending: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 10_000, description: 'Requests that may wait for the store at once. Above this number the failure mode applies.'
  })),
  configFile: Type.Optional(Type.String({
    minLength: 1,
    expected: 'the path of a TOML file',
    description: 'A file with options like these. It overrides them, and is read again when it changes. ' +
      'The variable `SLUICE_CONFIG` overrides this path.'
  })),
  environment: Type.Optional(Type.Union([Type.Literal(false), Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,62}_$' })], {
    default: 'SLUICE_',
    expected: 'false, or a prefix such as "SLUICE_"',
    description: 'Prefix of the environment variables that are read as options; `false` reads none.'
  })),
  reloadOnSignal: Type.Optional(BooleanOption({
    default: false, description: 'Whether SIGHUP also reloads the file, instead of ending the process.'
  })),
  health: Type.Optional(Type.Union([
    Type.Literal(false),
    Type.Object({
      path: Type.Optional(RoutePath()),
      allow: Type.Optional(NetworkList())
    }, { additionalProperties: false })
  ], {
    expected: 'false, or an object: { path?, allow? }',
    description: 'A route that reports the health of the store, by default `/health/rate-limit` below the prefix. ' +
      'It answers loopback and private addresses only; others get 404 unless `allow` lists their networks.'
  })),
  metrics: Type.Optional(MetricsSchema),
  admin: Type.Optional(AdminSchema),
  openapi: Type.Optional(BooleanOption({
    default: true, description: 'Whether the limits are described in the documents of `@fastify/swagger` (OpenAPI 3), if it is registered.'
  })),
  log: Type.Optional(LogSchema),
  record: Type.Optional(RecordSchema),
  headers: Type.Optional(StringEnum(['x-ratelimit', 'ratelimit', 'both', 'off'], {
    default: 'x-ratelimit',
    description: 'The headers of a counted response: `X-RateLimit-*`, or `RateLimit` and `RateLimit-Policy` of the IETF draft. ' +
      '`\'off\'` writes none of these; a refusal still has `Retry-After`.'
  })),
  resetFormat: Type.Optional(StringEnum(['seconds', 'epoch'], {
    default: 'seconds',
    description: 'The number in `X-RateLimit-Reset`: seconds from now, or the time in seconds since 1970.'
  }))
}, { additionalProperties: false, expected: 'an object of rate-limit options' })

/** Options of the plugin. */
export type RateLimitOptions = Static<typeof RateLimitOptionsSchema>

/** Schema of the options that `reload` takes: the same, but a rule of a lower layer needs only its name. */
export const ReloadOptionsSchema = Type.Object({
  ...RateLimitOptionsSchema.properties,
  rules: Type.Optional(Type.Array(Type.Object({
    ...RuleSchema.properties, match: Type.Optional(RuleSchema.properties.match)
  }, { additionalProperties: false, expected: RuleSchema.expected }), { maxItems: 1000, expected: 'an array of rules' }))
}, { additionalProperties: false, expected: 'an object of rate-limit options' })
