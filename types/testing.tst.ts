import type { FastifyInstance } from 'fastify'
import rateLimitPlugin, { type Clock, type RateLimitOptions } from 'fastify-sluice'
import { ManualClock } from 'fastify-sluice/testing'
import { describe, expect, test } from 'tstyche'

declare const app: FastifyInstance

describe('a manual clock', () => {
  test('is a clock, and the plugin takes it', () => {
    expect<Clock>().type.toBeAssignableFrom<ManualClock>()
    expect(app.register).type.toBeCallableWith(rateLimitPlugin, { max: 1, timeWindow: '1 minute', clock: new ManualClock() })
  })

  test('moves by a duration', () => {
    expect(new ManualClock().advance).type.toBeCallableWith('1 minute')
    expect(new ManualClock().advance(1000)).type.toBe<Promise<void>>()
    expect(new ManualClock().advance).type.not.toBeCallableWith()
    expect(new ManualClock().nowUs()).type.toBe<number>()
  })
})

test('a clock of your own needs only nowUs', () => {
  expect<RateLimitOptions>().type.toBeAssignableFrom({ clock: { nowUs: () => 0 } })
  expect<RateLimitOptions>().type.not.toBeAssignableFrom({ clock: { now: () => 0 } })
  expect<RateLimitOptions>().type.not.toBeAssignableFrom({ clock: Date.now })
})
