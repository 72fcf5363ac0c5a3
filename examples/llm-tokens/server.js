import { Readable } from 'node:stream'
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { complete, estimateTokens, SYSTEM_TOKENS } from './model.js'

/** @import { FastifyRequest } from 'fastify' */
/** @import { Ask, Usage } from './model.js' */

/** The budget of each user, and that of all users together, in units: input tokens, or what costs as much. */
export const budgets = /** @type {const} */ ({ hourly: 40_000, together: 54_000 })

/** An output token is as expensive as four input tokens; a cached one is almost free. @param {Usage} usage */
export function unitsOf ({ input, cached, output }) {
  return input + 0.1 * cached + 4 * output
}

/** The most that an answer should take: the whole output, and nothing of it from the cache. @param {Ask} ask */
export function mostUnits ({ prompt, maxTokens }) {
  return unitsOf({ input: SYSTEM_TOKENS + estimateTokens(prompt), cached: 0, output: maxTokens })
}

const askOf = (/** @type {FastifyRequest} */ request) => /** @type {Ask} */ (request.body)
const cost = (/** @type {FastifyRequest} */ request) => mostUnits(askOf(request))

/** An API in front of a language model: requests, and tokens that are known only when an answer is over. */
export async function buildServer () {
  const app = Fastify()

  await app.register(rateLimitPlugin, {
    // For the demo, the header is trusted. Your clients send a key or a token: see examples/api-keys and examples/jwt-tiers.
    identify: { custom: (request) => ({ id: String(request.headers['x-user']) }) }
  })

  app.post('/complete', {
    schema: {
      body: {
        type: 'object',
        required: ['prompt', 'maxTokens'],
        properties: { prompt: { type: 'string', maxLength: 4000 }, maxTokens: { type: 'integer', minimum: 1, maximum: 3000 } }
      }
    },
    config: {
      rateLimit: {
        limits: [
          { name: 'requests', max: 30, timeWindow: '1 minute' },
          // The most is reserved, so that requests at the same time never exceed the budget together. It returns if the client
          // leaves before the answer begins.
          { name: 'hourly', max: budgets.hourly, timeWindow: '1 hour', algorithm: 'sliding-window', cost, onUnsettled: 'refund' },
          // What the provider of the model grants to all users together.
          { name: 'together', max: budgets.together, timeWindow: '1 minute', algorithm: 'sliding-window', by: 'global', cost, onUnsettled: 'refund' }
        ],
        // The body was read and validated, so no request reserves more than a budget has.
        hook: 'preHandler'
      }
    }
  }, async (request, reply) => {
    reply.type('text/plain; charset=utf-8')
    return Readable.from(answer(request))
  })

  return app
}

/**
 * The answer word by word. At its end, what it took.
 *
 * @param {FastifyRequest} request
 */
async function * answer ({ body, rateLimit }) {
  const ask = /** @type {Ask} */ (body)
  // The model states its usage only at the end. Until then: the input, and what was written so far.
  let usage = { input: estimateTokens(ask.prompt), cached: SYSTEM_TOKENS, output: 0 }
  try {
    for await (const part of complete(ask)) {
      if ('usage' in part) {
        usage = part.usage
      } else {
        usage.output++
        yield part.text
      }
    }
  } finally {
    // Also when the model fails, or the client leaves: the stream is destroyed then, and this is run.
    await rateLimit?.settle({ hourly: unitsOf(usage), together: unitsOf(usage) })
  }
}
