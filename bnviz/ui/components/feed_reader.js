// @ts-check
// Whatever moves on the page: news that the server is asked for, the next ones while these are being drawn.

/** @import { Figures } from "./chart/figure.d.ts" */
/** @import { PatientComponent } from "./component.d.ts" */

import { deliverAll } from "./chart/charts.js";
import { nextFrame } from "./chart/turns.js";

/**
 * @typedef {object} News
 * @property {string} version
 * @property {number | string} page the state of the page that they belong to
 * @property {Record<string, string>} html inner HTML by the class of its place
 * @property {Figures} figures
 * @property {boolean} rerun whether the page is out of date
 */

/** @typedef {{ url: string, plotly: string }} Feed where news are asked for, and Plotly's own script */

const REFILL = 500; // milliseconds

/** @param {number} seconds */
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Shows the news of one feed in one place until it is stopped. */
class FeedReader {
  #stopping = new AbortController();
  /** @type {number | string | undefined} the state of the page that is known to be out of date */
  #outdated;
  /** @type {Map<string, string>} HTML by class */
  #shown = new Map();
  #watch = setInterval(() => this.#refill(), REFILL);

  /**
   * @param {Feed} feed
   * @param {ParentNode} place
   * @param {(page: unknown) => void} rerun
   */
  constructor(feed, place, rerun) {
    this.feed = feed;
    this.place = place;
    this.rerun = rerun;
  }

  stop() {
    this.#stopping.abort();
    clearInterval(this.#watch);
  }

  async read() {
    const { signal } = this.#stopping;
    let seen = "";
    let asked = this.#ask(seen, signal);
    while (!signal.aborted) {
      try {
        const news = await asked;
        seen = news?.version ?? seen;
        asked = this.#ask(seen, signal);
        asked.catch(() => {}); // it is awaited in a moment
        await nextFrame();
        if (news && !signal.aborted) await this.#show(news);
      } catch (error) {
        if (signal.aborted) return;
        console.warn(error);
        await pause(1); // the server is away for a moment, or a figure could not be drawn
        seen = "";
        asked = this.#ask(seen, signal);
      }
    }
  }

  /**
   * News that differ from those that were seen; none where nothing was new for a while.
   *
   * @param {string} seen
   * @param {AbortSignal} signal
   * @returns {Promise<News | undefined>}
   */
  async #ask(seen, signal) {
    const answer = await fetch(`${this.feed.url}?seen=${seen}`, { signal });
    if (answer.status === 200) return answer.json();
    if (answer.status === 204) return undefined;
    if (answer.status !== 205) throw new Error(`news: ${answer.status}`);
    // The connection was lost, and with it what the server knew of this page; a rerun brings another address.
    await pause(0.5);
    if (!signal.aborted) this.rerun(performance.now());
    await pause(0.5);
    return undefined;
  }

  /** @param {News} news */
  async #show({ page, html, figures, rerun }) {
    for (const [name, text] of Object.entries(html)) {
      const part = this.#partOf(name);
      if (part && this.#shown.get(name) !== text) part.innerHTML = text;
      this.#shown.set(name, text);
    }
    this.#refill();
    if (rerun && this.#outdated !== page) {
      this.#outdated = page;
      this.rerun(page);
    }
    await deliverAll(figures, this.feed.plotly);
  }

  /** Fills parts that came after their news, or that a rerun has drawn anew: while a run rests, no other news follow. */
  #refill() {
    for (const [name, text] of this.#shown) {
      const part = this.#partOf(name);
      if (text && part && !part.childNodes.length) part.innerHTML = text;
    }
  }

  /** @param {string} name */
  #partOf(name) {
    return this.place.querySelector(`.${name}`) ?? document.querySelector(`.${name}`);
  }
}

/** @type {FeedReader | undefined} the page's only one */
let reader;

/** @param {PatientComponent<Feed>} component */
export function readFeed({ data, parentElement, triggerInPassing }) {
  if (reader?.feed.url !== data.url || reader.place !== parentElement) {
    reader?.stop();
    reader = new FeedReader(data, parentElement, (page) => triggerInPassing("rerun", page));
    reader.read();
  }
  return () => {
    if (parentElement.isConnected || reader?.place !== parentElement) return;
    reader.stop();
    reader = undefined;
  };
}
