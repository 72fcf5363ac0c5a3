import t from 'tap'
import { durationMs } from '../../../lib/config/schema/durations.js'
import { formatDuration } from '../../../lib/common/format-duration.js'

const durations: ReadonlyArray<readonly [value: unknown, ms: number | null, why: string]> = [
  [1, 1, 'the shortest'],
  [60_000, 60_000, 'milliseconds'],
  ['10s', 10_000, 'a short unit'],
  ['1 minute', 60_000, 'a long unit'],
  [' 2 hours ', 7_200_000, 'with spaces'],
  ['1.5ms', 2, 'rounded up'],
  ['0.1ms', 1, 'rounded up'],
  ['1.5s', 1500, 'a fraction of a unit'],
  [0, null, 'no time at all'],
  [-1, null, 'negative'],
  [1.5, null, 'not whole'],
  [2 ** 53, null, 'not exact'],
  ['0s', null, 'no time at all'],
  ['-1s', null, 'negative'],
  ['', null, 'nothing'],
  ['s', null, 'no number'],
  ['ten seconds', null, 'no number'],
  ['10 parsecs', null, 'no such unit'],
  ['1h 30m', null, 'two durations'],
  ['10sm', null, 'two units'],
  ['250', 250, 'milliseconds, as from the environment'],
  ['1e99 years', null, 'not exact'],
  [null, null, 'nothing'],
  [true, null, 'no duration'],
  [{}, null, 'no duration']
]
for (const [value, ms, why] of durations) {
  t.test(`${JSON.stringify(value)} is ${ms === null ? 'no duration' : `${ms} ms`} (${why})`, async (t) => {
    t.equal(durationMs(value), ms)
  })
}

t.test('a duration in words loses nothing', async (t) => {
  const words: ReadonlyArray<readonly [ms: number, words: string]> = [
    [1, '1 millisecond'], [1500, '1500 milliseconds'], [1000, '1 second'], [90_000, '90 seconds'], [60_000, '1 minute'],
    [7_200_000, '2 hours'], [86_400_000, '1 day'], [90_000_000, '25 hours']
  ]
  for (const [ms, text] of words) t.equal(formatDuration(ms), text)
})
