/** What a component's function is called with, once when it is mounted and again after every rerun that changes it. */
export interface Component<Data> {
  data: Data;
  /** The component's own place on the page. */
  parentElement: ParentNode & Node;
  /** Tell Python a value that stays. */
  setStateValue: Tell;
  /** Tell Python a value that lasts for one rerun. */
  setTriggerValue: Tell;
}

export type Tell = (name: string, value: unknown) => void;

/** A component whose messages wait while another page is on its way (messages.js). */
export interface PatientComponent<Data> extends Component<Data> {
  /** For what the component tells of its own accord, not because of what somebody does. */
  triggerInPassing: Tell;
}

/** What is called when the component leaves the page, and also when new data overtake the old. */
export type Unmount = () => void;
