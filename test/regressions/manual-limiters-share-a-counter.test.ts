import t from 'tap'
import { limitedApp } from '../fixtures/app.js'

// A peer's limiters made by hand all had the key "undefinedundefined-": max 5 and max 3 counted 4/1, 2/0, 0/0.
t.test('limiters made by hand have buckets of their own', async (t) => {
  const { app } = await limitedApp(t, { global: false })
  const a = { max: 5, groupId: 'a' }
  const b = { max: 3, groupId: 'b' }
  app.get('/both', async (request) => [
    (await app.rateLimit.check(request, a))?.remaining, (await app.rateLimit.check(request, b))?.remaining
  ])
  const answers = [await app.inject('/both'), await app.inject('/both'), await app.inject('/both')]
  t.strictSame(answers.map((answer) => answer.json()), [[4, 2], [3, 1], [2, 0]])
})
