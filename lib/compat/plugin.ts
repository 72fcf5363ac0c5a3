import type { FastifyPluginCallback } from 'fastify'
import { createDateClock } from '../common/clock.js'
import { buildRateLimitPlugin } from '../plugin/plugin.js'
import { buildOn, nativeTuning } from './build.js'
import type { RateLimitPluginOptions } from './options.js'

export type FastifyRateLimit = FastifyPluginCallback<RateLimitPluginOptions>

/** Limits by the options of @fastify/rate-limit. */
export const fastifyRateLimit: FastifyRateLimit = buildOn(() => {
  // Applications test with a mocked `Date`, which moves the windows of the original. One clock for each, so that no test of
  // an application starts at the time that another one left.
  const clock = createDateClock()
  return { nativePlugin: buildRateLimitPlugin(clock, {}, nativeTuning), clock }
})
