import type { PageText } from "./page-text.ts";

export const english: PageText = {
  locale: "en-GB",
  languageLabel: "Language",
  title: (inviter) => `Invitation from ${inviter}`,
  heading: (inviter) => `${inviter} asks to reach one service on your computer`,
  lead: "Nothing is reachable yet. Read what would be, and until when. If you agree, paste one line: nothing is installed, and you need no account.",
  privateLead:
    "Nothing is reachable yet. Read what would be, and until when. If you agree, run one line. This invitation is private: what passes is encrypted up to your computer, which takes the program rdv there.",
  factsHeading: "What you are asked",
  who: "Who asks",
  whoNote: "They chose this name themselves. Make sure that you know them: call them if in doubt.",
  what: "What they could reach",
  whatNote: "As seen from the computer on which you paste the line. Nothing else.",
  until: "Until",
  localTime: "your local time",
  untilNote: "Or sooner: whenever you, or they, end it.",
  from: "Who could connect",
  fromAllowed: (addresses) => `Only computers at ${addresses}`,
  fromNote: "Only from the network addresses that they allowed in this invitation.",
  code: "Invitation code",
  codeNote: "Read it aloud on the phone to check that you both mean the same invitation. It works once.",
  unexpectedHeading: "You did not expect this?",
  unexpected: "Then do nothing and close this page. As long as you paste nothing, nobody can reach anything.",
  agreeHeading: "If you agree",
  agree: "On the computer to be reached, paste the line that fits, and press Enter.",
  privateAgree: "On the computer to be reached, paste this line, and press Enter.",
  privateHeading: "A computer with rdv",
  privateStep: "The program rdv must be installed there; ask the person who invited you how.",
  shellHeading: "macOS or Linux",
  shellStep: "Open the program called Terminal.",
  powershellHeading: "Windows",
  powershellStep: "Open the program called PowerShell.",
  lineLabel: (system) => `Line for ${system}`,
  copy: "Copy",
  copyLabel: (system) => `Copy the line for ${system}`,
  copied: "Copied",
  notCopied: "Selected: press Ctrl-C or ⌘C to copy",
  afterwards:
    "It shows these details once more and waits until you type y for yes. Then leave the window open: it tells you of every connection, as it opens and as it closes.",
  elsewhere: (url) => `Is that another computer? Open this address there: ${url}`,
  stopHeading: "How to stop",
  stop: [
    "Press Ctrl-C in that window, or close it. Every connection is cut at once, and nothing stays behind.",
    "It also stops by itself at the time above.",
  ],
  cannotHeading: "What it is not able to do",
  cannot: (target) => [
    `Reach anything but ${target}: no other service, and no other computer of your network.`,
    "Get around a password: what asks for one today still asks for it.",
    "Install or change anything, or start again by itself.",
    "Be used by somebody else: the code works for one computer, once.",
  ],
  about: "rdv makes one service reachable, for a while, with your consent.",
  services: {
    ssh: {
      name: "SSH, the remote command line",
      power:
        "They still need a user name, and a password or key, that your computer accepts. Once logged in, they can do what that user can.",
    },
    vnc: {
      name: "VNC, your screen",
      power:
        "Whoever is connected can see your screen, and may move the mouse and type, as your screen-sharing program allows.",
    },
    rdp: {
      name: "Remote Desktop",
      power:
        "They still need a user name and password that your computer accepts. Once logged in, they can do what that user can.",
    },
    http: {
      name: "A web server",
      power: "They can open the pages that this server offers, as you can in a browser on that computer.",
    },
    postgres: {
      name: "A PostgreSQL database",
      power:
        "They still need a database user that it accepts. Once logged in, they can do what that user can.",
    },
  },
  otherService: {
    name: "One network service",
    power: "They can use it as any program on that computer can.",
  },
  used: {
    title: "This invitation has already been used",
    paragraphs: [
      "Each code works for one computer, once.",
      "Was it you, and did the connection break? Paste the same line again on the same computer. If it is refused, ask for a new invitation.",
      "Was it not you? Tell the person who invited you: somebody else has used the code. Opening this page made nothing reachable.",
    ],
  },
  unknown: {
    title: "This invitation is not valid",
    paragraphs: [
      "The address may have been mistyped, or the invitation is over.",
      "Compare the code with the person who invited you, or ask for a new invitation. Opening this page made nothing reachable.",
    ],
  },
};
