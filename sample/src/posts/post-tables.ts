/** The visitor's account on the social network. */
export interface AccountTable {
  visitor: string;
  name: string;
  /** The secret that lets the sample post for the visitor. It stays here: no task and no page gets it. */
  token: string;
}

export interface PostTable {
  id: string;
  visitor: string;
  text: string;
  saved_at: string;
  /** The id of the task that publishes the post. */
  task: string | null;
  /** Where the post is on the network, once it is there. */
  url: string | null;
  published_at: string | null;
}
