import type { Calendar } from '../algorithms/calendar.js'
import type { Limit, Store } from '../stores/store.js'
import {
  PARTITION, createCharge, assertEqual, assertMatches, fetchRemaining, takeOrFail, type Advance, type DefineCase
} from './assertions.js'
import { SECOND_US, createGrid, createLimit } from './limits.js'

const LENGTH_US = 60 * SECOND_US

/** Cases for limits with a `period`. */
export function calendarWindows (defineCase: DefineCase): void {
  const define: DefineCase = (title, check) => { defineCase(`calendar-window: ${title}`, check) }
  const limit = createCalendarLimit(createGrid(LENGTH_US))

  define('the standing has the used units and the end of their period', async (store) => {
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 2)])
    const { endUs } = createGrid(LENGTH_US).periodAt(atUs)
    assertMatches(standing, { remaining: 8, resetUs: endUs - atUs, usage: { units: 2, endUs } })
    await store.adjust([{ standing, atUs, units: 10 }])
    assertMatches(await store.peek([limit], PARTITION), [{ remaining: 0, usage: { units: 12, endUs } }])
    assertMatches(await store.peek([limit], 'ip:203.0.113.10'), [{ remaining: 10, resetUs: 0, usage: { units: 0, endUs } }])
  })

  define('a request late in a period does not prolong it', async (store, advance) => {
    await moveToStart(store, advance)
    await advance(LENGTH_US - 1)
    await takeOrFail(store, [createCharge(limit, 10)])
    assertMatches((await takeOrFail(store, [createCharge(limit)])).standings, [{ granted: false, retryUs: 1 }])
    await advance(1)
    assertMatches((await takeOrFail(store, [createCharge(limit)])).standings, [{ granted: true, remaining: 9, resetUs: LENGTH_US }])
  })

  define('used units stay used under other periods, and end with the period of the last use', async (store, advance) => {
    await moveToStart(store, advance)
    const shifted = createCalendarLimit(createGrid(LENGTH_US, { offsetUs: LENGTH_US / 2 }))
    await takeOrFail(store, [createCharge(limit, 10)])
    assertMatches((await takeOrFail(store, [createCharge(shifted)])).standings, [{ granted: false, retryUs: LENGTH_US / 2 }])
    await advance(LENGTH_US / 2 - 1)
    assertEqual((await takeOrFail(store, [createCharge(shifted)])).granted, false)
    await advance(1)
    assertEqual((await takeOrFail(store, [createCharge(shifted)])).granted, true)
  })

  define('where the periods of a client are not known, units in use keep their end', async (store, advance) => {
    await moveToStart(store, advance)
    const shifted = createCalendarLimit(createGrid(LENGTH_US, { offsetUs: LENGTH_US / 2 }))
    const unknown = createCalendarLimit(createGrid(LENGTH_US, { keepsEnd: true }))
    await takeOrFail(store, [createCharge(shifted, 4)])
    assertMatches((await takeOrFail(store, [createCharge(unknown, 5)])).standings, [{ remaining: 1, resetUs: LENGTH_US / 2 }])
    await advance(LENGTH_US / 2)
    assertMatches((await takeOrFail(store, [createCharge(unknown)])).standings, [{ remaining: 9, resetUs: LENGTH_US / 2 }])
  })

  define('a clock that steps back locks no client for longer than the current period', async (store, advance) => {
    await moveToStart(store, advance)
    await takeOrFail(store, [createCharge(limit, 10)])
    await advance(-10 * LENGTH_US - 1)
    assertMatches((await takeOrFail(store, [createCharge(limit)])).standings, [{ granted: false, retryUs: 1 }])
    await advance(1)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, true)
  })

  define('used units stay used when a limit gets a period, and when it loses it', async (store, advance) => {
    await moveToStart(store, advance)
    const bucket = createLimit({ windowUs: LENGTH_US })
    await takeOrFail(store, [createCharge(bucket, 10)])
    assertEqual(await fetchRemaining(store, limit), 0)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, false)
    assertEqual((await takeOrFail(store, [createCharge(bucket)])).granted, false)
  })

  define('a refund of an earlier period gives nothing back', async (store, advance) => {
    await moveToStart(store, advance)
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 3)])
    await advance(LENGTH_US)
    await takeOrFail(store, [createCharge(limit, 3)])
    await store.adjust([{ standing, atUs, units: -3 }])
    assertEqual(await fetchRemaining(store, limit), 7)
  })
}

function createCalendarLimit (calendar: Calendar): Limit {
  return createLimit({ algorithm: 'calendar-window', windowUs: LENGTH_US, calendar })
}

/** Advance the clock to the start of a period, with room to step back. */
async function moveToStart (store: Store, advance: Advance): Promise<void> {
  const probe = createLimit({ bucket: 'app/clock' })
  const { atUs } = await takeOrFail(store, [createCharge(probe, 0)])
  await advance(createGrid(LENGTH_US).periodAt(atUs).endUs + 20 * LENGTH_US - atUs)
}
