import { BooleanOption, StringEnum } from '../config/schema/option-types.js'
import { Type } from '../config/schema/type-builder.js'

/*
 * Requests and responses of the operator routes, for the documents of @fastify/swagger. The called functions validate
 * the requests, so that errors are the same over HTTP and in code.
 */

const Partition = Type.String({
  description: 'The client whose buckets are meant: ' +
    '`ip:` with any address of the client, `user:` with an ID, `key:` with a generated key, or `global`.',
  examples: ['ip:203.0.113.9', 'user:42']
})

const Cursor = Type.String({ description: 'The `cursor` of the previous page.' })

const Nullable = Type.Union([Type.String(), Type.Null()])

const problem = {
  content: {
    'application/problem+json': {
      schema: Type.Object({
        type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.String(), instance: Type.String()
      })
    }
  }
}

const refusals = {
  400: { description: 'The request is invalid; `detail` contains the reason.', ...problem },
  503: { description: 'The store does not answer. Retry after the time in `Retry-After`.', ...problem }
}

const tags = ['rate limit']

const Mode = Type.Union([Type.Literal('enforce'), Type.Literal('shadow')])

export const PartitionQuery = Type.Object({ partition: Partition })

export const standings = {
  tags,
  summary: 'Get the state of every limit for a client',
  querystring: PartitionQuery,
  response: {
    200: Type.Object({
      partition: Type.String(),
      standings: Type.Array(Type.Object({
        scope: Type.String({ description: 'The scope of the bucket, such as `default` or `rule:login`. Its routes share the bucket.' }),
        tier: Nullable,
        name: Type.String({ description: 'The name of the limit.' }),
        limit: Type.Integer({ description: 'Units allowed at once.' }),
        max: Type.Integer({ description: 'Units per window.' }),
        windowMs: Type.Number({ description: 'Length of the window, milliseconds.' }),
        period: Type.Optional(Type.String({ description: 'The period of a quota: hour, day, week, month or year.' })),
        remaining: Type.Integer({ description: 'Units that are still available.' }),
        resetAfterMs: Type.Number({ description: 'Milliseconds until the full limit is available again.' }),
        retryAfterMs: Type.Union([Type.Number(), Type.Literal('never')]),
        blockedMs: Type.Number({ description: 'Milliseconds until the block ends; 0 without a block.' }),
        mode: Mode,
        isExceeded: Type.Boolean({ description: 'Whether the limit refuses every request now, for example during a block.' })
      }))
    }, { description: 'One entry for each limit that can charge the client.' }),
    ...refusals
  }
}

export const usage = {
  tags,
  summary: 'Get what a client has used of its quotas',
  querystring: Type.Object({
    partition: Partition,
    anchor: Type.Optional(Type.String({
      description: 'Start of the client\'s subscription, for limits with `anchor: "client"`.', examples: ['2026-01-31T00:00:00Z']
    }))
  }),
  response: {
    200: Type.Object({
      partition: Type.String(),
      usage: Type.Array(Type.Object({
        scope: Type.String({ description: 'The scope of the quota, such as `default` or `rule:login`. Its routes share the quota.' }),
        tier: Nullable,
        name: Type.String({ description: 'The name of the limit.' }),
        mode: Mode,
        period: Type.String({ description: 'hour, day, week, month or year.' }),
        limit: Type.Integer({ description: 'Units per period.' }),
        used: Type.Integer({ description: 'Used units of the current period.' }),
        start: Type.Union([Type.String(), Type.Null()], {
          description: 'Start of the period; null if it depends on an anchor that is not given.'
        }),
        end: Type.String({ description: 'End of the period.' })
      }))
    }, { description: 'One entry for each limit with a period that can charge the client.' }),
    ...refusals
  }
}

export const reset = {
  tags,
  summary: 'Reset the usage of a client and lift its blocks',
  querystring: PartitionQuery,
  response: {
    200: Type.Object({ forgotten: Type.Integer() }, { description: 'The number of buckets and penalties that were deleted.' }),
    ...refusals
  }
}

export const blocked = {
  tags,
  summary: 'List the clients that are blocked now',
  querystring: Type.Object({
    cursor: Type.Optional(Cursor),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Entries per page.' }))
  }),
  response: {
    200: Type.Object({
      blocked: Type.Array(Type.Object({ partition: Type.String(), scope: Type.String(), remainingMs: Type.Integer() })),
      cursor: Nullable
    }, { description: 'One page of the list. On the last page `cursor` is null. With Redis, only blocks known to this process.' }),
    400: refusals[400]
  }
}

const Explained = Type.Object({
  name: Type.String(),
  scope: Type.String(),
  hook: Type.String(),
  options: Type.Array(Type.Unknown()),
  tiers: Type.Array(Type.Unknown())
})

export const policies = {
  tags,
  summary: 'List the current policies, each value with its source',
  querystring: Type.Object({
    route: Type.Optional(Type.String({
      description: 'A route: its method and its whole pattern. Without it, the default policy and all rules are listed.',
      examples: ['GET /login']
    }))
  }),
  response: {
    200: Type.Object({ policies: Type.Array(Explained) }, {
      description: 'The explanation of one route, or of the whole registration.',
      additionalProperties: true
    }),
    400: refusals[400]
  }
}

export const SwitchBody = Type.Object({ enabled: BooleanOption({}), instances: Type.Optional(StringEnum(['this', 'all'], {})) }, {
  additionalProperties: false, expected: 'an object: { enabled, instances? }'
})

/** The same without the keyword `expected`, which is ours: OpenAPI 3.0 allows no unknown keywords. */
const documentedBody = Type.Object({
  enabled: Type.Boolean({ description: '`false`: all requests pass uncounted.' }),
  instances: Type.Optional(Type.Union([Type.Literal('this'), Type.Literal('all')], {
    description: '`all`: also the other instances with a page, within 10 seconds. Default `this`.'
  }))
}, { additionalProperties: false })

const State = Type.Object({
  enabled: Type.Boolean({ description: 'Whether limits are enabled in this process.' }),
  configured: Type.Boolean({ description: 'Whether the settings enable limits, without the switch of an operator.' })
}, { description: 'The switch for limits in this process.' })

export const state = { tags, summary: 'Get whether limits are enabled', response: { 200: State } }

export const change = {
  tags,
  summary: 'Enable or disable limits in this process',
  body: documentedBody,
  response: { 200: State, 400: refusals[400] }
}
