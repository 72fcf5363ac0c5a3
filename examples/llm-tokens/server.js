import { Readable } from 'node:stream'
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { complete, estimateTokens } from './model.js'

/** @import { FastifyRequest } from 'fastify' */
/** @import { Ask } from './model.js' */

/** Everybody's budget, and that of all together, in tokens. */
export const budgets = /** @type {const} */ ({ hourly: 10_000, together: 14_000 })

/** The most that a completion may take, as far as one can tell. @param {Ask} ask */
export function mostTokens ({ prompt, maxTokens }) {
  return estimateTokens(prompt) + maxTokens
}

const askOf = (/** @type {FastifyRequest} */ request) => /** @type {Ask} */ (request.body)

/** An API in front of a language model: budgets in tokens, which are known only when an answer is over. */
export async function buildServer () {
  const app = Fastify()

  await app.register(rateLimitPlugin, {
    // Requests, on every route.
    max: 100,
    timeWindow: '1 minute',
    // For the demo: anybody is whom he says he is. Yours show a key or a token; see examples/api-keys and examples/jwt-tiers.
    identify: { custom: (request) => ({ id: String(request.headers['x-user']) }) }
  })

  app.post('/complete', {
    // Limits of a route's own stand in the place of those above, so its requests are counted there by this.
    onRequest: app.rateLimit(),
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
          { name: 'hourly', max: budgets.hourly, timeWindow: '1 hour', algorithm: 'sliding-window' },
          // What the model's owner lets us have, by all users together.
          { name: 'together', max: budgets.together, timeWindow: '1 minute', algorithm: 'sliding-window', by: 'global' }
        ],
        // Reserve the most that it can take, so that requests at the same time never get beyond the budget together.
        cost: (request) => mostTokens(askOf(request)),
        // The body is there, and has been validated: nobody reserves more than any budget has.
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
 * The answer, word by word, and then the bill.
 *
 * @param {FastifyRequest} request
 */
async function * answer (request) {
  const ask = askOf(request)
  // Of an answer that is not read to its end, the model does not tell what it took: what was said counts.
  let used = estimateTokens(ask.prompt)
  try {
    for await (const part of complete(ask)) {
      if ('usedTokens' in part) {
        used = part.usedTokens
      } else {
        used++
        yield part.text
      }
    }
  } finally {
    // Also when the model fails, or the client leaves: the stream is destroyed then, and this is run.
    await settle(request, mostTokens(ask), used)
  }
}

/**
 * Give back what was reserved and not used, or charge what was used beyond it.
 *
 * @param {FastifyRequest} request
 * @param {number} reserved
 * @param {number} used
 */
async function settle ({ rateLimit }, reserved, used) {
  if (used < reserved) await rateLimit?.refund(reserved - used)
  // Into debt if need be: the work is done.
  if (used > reserved) await rateLimit?.charge(used - reserved)
}
