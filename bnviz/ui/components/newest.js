// @ts-check
// Messages of which only the newest counts, such as the places of a slider that is being moved.

const PATIENCE = 1000; // milliseconds until a message that was not answered is sent again, then twice as many, and so on

/**
 * @typedef {object} Move
 * @property {number} at when it was made, in milliseconds; its answer repeats it
 * @property {number} value
 */

let lastMoveAt = 0;

/** The time of a move that is made now: later than that of every move before, also where a clock is coarse. */
export function timeOfMove() {
  lastMoveAt = Math.max(performance.now(), lastMoveAt + 0.001);
  return lastMoveAt;
}

/** One message is on its way at a time; the newest follows when it is answered, or again when it is not. */
export class NewestMove {
  /** @type {Move | undefined} the newest move, until it has been answered */
  unanswered;
  /** When the newest move was made, answered or not. */
  at = -Infinity;
  /** @type {(move: Move) => void} how a move is told; set anew by every rerun */
  tell = () => {};
  /** @type {number | undefined} the move whose message is on its way */
  #sentAt;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the message is sent again */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the hand rests */
  #rest;

  /**
   * @param {Move} move
   * @param {number} rest milliseconds without another move before it is told
   */
  make(move, rest = 0) {
    this.unanswered = move;
    this.at = move.at;
    if (!rest) return this.flush();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.flush(), rest);
  }

  /** The hand rests: tell the newest move, now or when the one before it has been answered. */
  flush() {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    if (this.#sentAt === undefined) this.resend();
  }

  /**
   * @param {number | undefined} at of the newest move that Python had heard of; another than the one that was sent is
   *   the answer to an earlier message
   */
  answered(at) {
    if (this.#sentAt === undefined || this.#sentAt !== at) return;
    clearTimeout(this.#retry);
    this.#sentAt = undefined;
    if (this.unanswered?.at === at) this.unanswered = undefined;
    else if (this.#rest === undefined) this.resend();
  }

  /** Tell the newest move that has not been answered, whether or not it was told before. */
  resend(patience = PATIENCE) {
    if (!this.unanswered) return;
    this.#sentAt = this.unanswered.at;
    this.tell(this.unanswered);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.resend(2 * patience), patience);
  }

  /** The page is left; what was not answered is kept for resend(). */
  suspend() {
    clearTimeout(this.#retry);
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }
}
