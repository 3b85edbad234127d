import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import { connection } from "./api/client";
import { may, refreshSession, session, signOut } from "./api/session";
import { DataRoom } from "./rooms/data";
import { ExploreRoom } from "./rooms/explore";
import { TheoryRoom } from "./rooms/theory";
import { TrainRoom } from "./rooms/train";
import { WatchRoom } from "./rooms/watch";
import { route, to } from "./router";
import { KeyGate, LostBanner } from "./shell/connection";
import { ThemeButton } from "./shell/theme";

/** What a room gets: the words behind its name in the address. It is mounted anew when these change. */
export type RoomProps = { argument: string };

const ROOMS: Record<string, { name: string; room: FunctionComponent<RoomProps> }> = {
  data: { name: "Data", room: DataRoom },
  train: { name: "Train", room: TrainRoom },
  watch: { name: "Watch", room: WatchRoom },
  explore: { name: "Explore", room: ExploreRoom },
  theory: { name: "Theory", room: TheoryRoom },
};

export function App() {
  useEffect(() => void refreshSession().catch(() => undefined), []);
  const { room, argument } = route.value;
  const found = ROOMS[room] ?? ROOMS.data;
  const Room = found?.room ?? DataRoom;
  document.title = `${found?.name} – Ganymede`;
  return (
    <div class="shell">
      <Bar current={ROOMS[room] ? room : "data"} />
      <div>
        <button type="button" class="skip" onClick={() => document.querySelector("main")?.focus()}>
          Skip to the room
        </button>
        <LostBanner />
      </div>
      <main id="main" tabIndex={-1}>
        {connection.value === "locked" ? (
          <KeyGate />
        ) : (
          session.value && <Room key={`${room}/${argument}`} argument={argument} />
        )}
      </main>
    </div>
  );
}

function Bar({ current }: { current: string }) {
  const key = session.value?.key;
  return (
    <header class="bar">
      <a class="brand" href={to("data")}>
        <img src="/studio/icon.svg" alt="" width="24" height="24" /> Ganymede
      </a>
      <nav class="rooms" aria-label="Rooms">
        {Object.entries(ROOMS).map(([word, { name }]) => (
          <a key={word} href={to(word)} aria-current={word === current ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span class="spring" />
      {key && (
        <>
          <span class="quiet" title={may("train") ? "may train" : "may look and sample"}>
            {key}
          </span>
          <button type="button" class="plain" onClick={() => void signOut()}>
            Sign out
          </button>
        </>
      )}
      <a class="quiet" href="/docs">
        API
      </a>
      <ThemeButton />
    </header>
  );
}
