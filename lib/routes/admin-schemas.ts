import { Type } from '@sinclair/typebox'
import { BooleanOption } from '../config/schema/option-types.js'

/*
 * What the operator routes are asked and answer, for the documents that @fastify/swagger makes of it. What they are asked
 * is checked by those who are asked, so that HTTP and code give the same reasons.
 */

const Partition = Type.String({
  description: 'Whose buckets: `ip:` with any address of the client, `user:` with an id, `key:` with a generated key, or `global`.', examples: ['ip:203.0.113.9', 'user:42']
})

const Nullable = Type.Union([Type.String(), Type.Null()])

const problem = {
  content: {
    'application/problem+json': {
      schema: Type.Object({ type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.String(), instance: Type.String() })
    }
  }
}

/** Answers to what is wrong, or cannot be done now. */
const refusals = {
  400: { description: 'What is asked for is none; `detail` says why.', ...problem },
  503: { description: 'The store does not answer.', ...problem }
}

const tags = ['rate limit']

export const PartitionQuery = Type.Object({ partition: Partition })

export const standings = {
  tags,
  summary: 'Where a partition stands with every limit',
  querystring: PartitionQuery,
  response: {
    200: Type.Object({
      partition: Type.String(),
      standings: Type.Array(Type.Object({
        scope: Type.String({ description: 'Which requests share the bucket.' }),
        tier: Nullable,
        name: Type.String({ description: 'The limit.' }),
        limit: Type.Integer({ description: 'The most that can be had at once.' }),
        max: Type.Integer(),
        windowMs: Type.Number(),
        remaining: Type.Integer(),
        resetAfterMs: Type.Number({ description: 'Until nothing is used any more.' }),
        retryAfterMs: Type.Union([Type.Number(), Type.Literal('never')]),
        blockedMs: Type.Number({ description: 'How long a penalty still blocks the partition; 0: it does not.' }),
        mode: Type.Union([Type.Literal('enforce'), Type.Literal('shadow')]),
        isExceeded: Type.Boolean()
      }))
    }, { description: 'One for each limit that can charge the partition.' }),
    ...refusals
  }
}

export const reset = {
  tags,
  summary: 'Forget what a partition used, and lift its blocks',
  querystring: PartitionQuery,
  response: {
    200: Type.Object({ forgotten: Type.Integer() }, { description: 'How many buckets and penalties there were.' }),
    ...refusals
  }
}

export const blocked = {
  tags,
  summary: 'Who is blocked now',
  querystring: Type.Object({
    cursor: Type.Optional(Type.String({ description: 'The cursor of the page before.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 }))
  }),
  response: {
    200: Type.Object({
      blocked: Type.Array(Type.Object({ partition: Type.String(), scope: Type.String(), remainingMs: Type.Integer() })),
      cursor: Nullable
    }, { description: 'A page of the list, which ends where `cursor` is null. With Redis, what this process knows of.' }),
    400: refusals[400]
  }
}

const Explained = Type.Object({ name: Type.String(), scope: Type.String(), hook: Type.String(), options: Type.Array(Type.Unknown()), tiers: Type.Array(Type.Unknown()) })

export const policies = {
  tags,
  summary: 'The policies that hold now, each value with where it comes from',
  querystring: Type.Object({
    route: Type.Optional(Type.String({ description: 'A route by its method and its whole pattern. Default: the default policy and all rules.', examples: ['GET /login'] }))
  }),
  response: {
    200: Type.Object({ policies: Type.Array(Explained) }, { description: 'What `explain` answers: of a route, or of the whole registration.', additionalProperties: true }),
    400: refusals[400]
  }
}

/** What is to be switched. */
export const SwitchBody = Type.Object({ enabled: BooleanOption({}) }, { additionalProperties: false, expected: 'an object: { enabled }' })

/** The same without the keyword `expected`, which is ours: OpenAPI 3.0 allows no keywords that it does not know. */
const documentedBody = Type.Object({ enabled: Type.Boolean({ description: 'false lets everything pass uncounted.' }) }, { additionalProperties: false })

const State = Type.Object({
  enabled: Type.Boolean({ description: 'Whether limits hold.' }),
  configured: Type.Boolean({ description: 'Whether they would without the word of an operator.' })
}, { description: 'How limits are switched in this process.' })

export const state = { tags, summary: 'Whether limits hold', response: { 200: State } }

export const change = {
  tags,
  summary: 'Switch limits on or off in this process, until they are switched back',
  body: documentedBody,
  response: { 200: State, 400: refusals[400] }
}
