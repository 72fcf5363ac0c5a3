import { explore, type Exploration } from './explore.js'
import { RULES, WRONG_RULES, type WrongRule } from './slot-rules.js'
import { createSlotModel, type SlotModelOptions } from './slots.js'

const MAX_STATES = 150_000

const SMALL: SlotModelOptions = { max: [1], leaseTicks: 1, processes: 2, messages: 1, want: 1 }
const ALONE: SlotModelOptions = { ...SMALL, processes: 1, messages: 2, hasLate: true }

/** Small enough for each run of the tests. A lease of one tick: all that a tick separates is longer than a lease apart. */
export const CASES = {
  'one slot': SMALL,
  'few messages, with late ones': { ...SMALL, messages: 2, hasLate: true, sends: 4 },
  'a failover': { ...SMALL, failovers: 1 },
  'a crash': { ...SMALL, processes: 1, crashes: 1, hasLate: true },
  'versions with another max': { ...SMALL, max: [0, 1] },
  'one process': { ...ALONE, hasResent: true },
  'one process with two slots': { ...ALONE, max: [2], want: 2 },
  'one process, versions with another max': { ...ALONE, max: [0, 1] }
} satisfies Readonly<Record<string, SlotModelOptions>>

export type Case = keyof typeof CASES

/** For the full lane: up to eighty thousand states each. */
export const LARGE_CASES = {
  'a longer lease': { ...SMALL, leaseTicks: 2 },
  'late messages': { ...SMALL, hasLate: true },
  'messages that are sent again': { ...SMALL, hasResent: true },
  'two slots': { ...SMALL, max: [2], want: 2 },
  'two messages': { ...SMALL, messages: 2, sends: 5 },
  'two processes, and a crash': { ...SMALL, crashes: 1 },
  'two slots, versions with another max': { ...SMALL, max: [1, 2], want: 2 },
  'a failover, and late messages': { ...SMALL, failovers: 1, hasLate: true }
} satisfies Readonly<Record<string, SlotModelOptions>>

/** Without what Redis had to forget, more than `max` run. */
export const TIGHT_CASES = {
  'a process that was paused for longer than its lease': { ...SMALL, bound: 'nothing' },
  'a failover': { ...SMALL, failovers: 1, leaseTicks: 2, bound: 'nothing' }
} satisfies Readonly<Record<string, SlotModelOptions>>

/** In which of the cases each wrong variant breaks the bound, or keeps a slot. */
export const CAUGHT_IN: Readonly<Record<WrongRule, Case>> = {
  'no expiry': 'one slot',
  'a lease ends too early': 'one slot',
  'a lease lasts too long': 'one slot',
  'the number of a report is not compared': 'one process',
  'a check adds to what is known': 'one slot',
  'a check that is executed twice counts twice': 'one process',
  'slots of other processes do not count': 'one slot',
  'a stale check is granted': 'one process, versions with another max',
  'one slot too many': 'versions with another max',
  'a grant is not counted': 'one slot',
  'an entry without slots is dropped at once': 'one process',
  'an entry without slots is dropped by the report of another process': 'few messages, with late ones',
  'slots that were asked for are not reported': 'one process',
  'a slot is given back twice': 'one process with two slots',
  'a slot is not given back': 'one slot',
  'a lost reply is a refusal': 'a crash',
  'the reply to an earlier report ends the doubt': 'one process'
}

export function exploreCase (options: SlotModelOptions, wrong?: WrongRule): Exploration {
  return explore(createSlotModel(options, wrong === undefined ? RULES : { ...RULES, ...WRONG_RULES[wrong] }), MAX_STATES)
}
