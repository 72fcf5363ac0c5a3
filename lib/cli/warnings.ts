import { warnings } from '../errors.js'
import { burstAboveMax, longWindowAlone, shortCooldown, shortWindow } from './limit-warnings.js'
import { exemptsEverybody, trustsEverybody } from './network-warnings.js'
import { openLogin, ruleNeverApplies, ruleWithoutMatch, tierOfNobody } from './rule-warnings.js'
import type { Subject } from './warning-input.js'

export interface Warning {
  /** Beginning with its place. */
  readonly text: string
  readonly code: string
}

/** What is legal but likely wrong: each by a function that finds every case of it, and answers texts that begin with their places. */
const LOOKS: ReadonlyArray<readonly [code: string, look: (subject: Subject) => readonly string[]]> = [
  [warnings.ruleWithoutMatch, ruleWithoutMatch],
  [warnings.ruleNeverApplies, ruleNeverApplies],
  [warnings.tierOfNobody, tierOfNobody],
  [warnings.openLogin, openLogin],
  [warnings.longWindowAlone, longWindowAlone],
  [warnings.shortWindow, shortWindow],
  [warnings.burstAboveMax, burstAboveMax],
  [warnings.shortCooldown, shortCooldown],
  [warnings.trustsEverybody, trustsEverybody],
  [warnings.exemptsEverybody, exemptsEverybody]
]

/** Every warning, each once, also where several policies inherit what it is about. */
export function warningsOf (subject: Subject): Warning[] {
  return LOOKS.flatMap(([code, look]) => [...new Set(look(subject))].map((text) => ({ text, code })))
}
