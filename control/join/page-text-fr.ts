import type { PageText } from "./page-text.ts";

export const french: PageText = {
  locale: "fr-FR",
  languageLabel: "Langue",
  title: (inviter) => `Invitation de ${inviter}`,
  heading: (inviter) => `${inviter} demande à joindre un service de votre ordinateur`,
  lead: "Rien n’est encore accessible. Lisez ce qui le serait, et jusqu’à quand. Si vous êtes d’accord, collez une ligne\u00A0: rien n’est installé, aucun compte n’est nécessaire.",
  privateLead:
    "Rien n’est encore accessible. Lisez ce qui le serait, et jusqu’à quand. Si vous êtes d’accord, exécutez une ligne. Cette invitation est privée\u00A0: ce qui passe est chiffré jusqu’à votre ordinateur, où il faut pour cela le programme rdv.",
  factsHeading: "Ce que l’on vous demande",
  who: "Qui demande",
  whoNote:
    "Cette personne a choisi ce nom elle-même. Assurez-vous de la connaître\u00A0: appelez-la en cas de doute.",
  what: "Ce qui serait accessible",
  whatNote: "Vu depuis l’ordinateur où vous collez la ligne. Rien d’autre.",
  until: "Jusqu’au",
  localTime: "à votre heure",
  untilNote: "Ou plus tôt\u00A0: dès que vous, ou cette personne, y mettez fin.",
  from: "Qui pourrait se connecter",
  fromAllowed: (addresses) => `Seulement les ordinateurs à l’adresse ${addresses}`,
  fromNote: "Seulement depuis les adresses réseau autorisées dans cette invitation.",
  code: "Code d’invitation",
  codeNote:
    "Lisez-le au téléphone pour vérifier que vous parlez de la même invitation. Il ne sert qu’une fois.",
  unexpectedHeading: "Vous n’attendiez rien de tel\u00A0?",
  unexpected:
    "Alors ne faites rien et fermez cette page. Tant que vous ne collez rien, personne ne peut rien joindre.",
  agreeHeading: "Si vous êtes d’accord",
  agree: "Sur l’ordinateur à joindre, collez la ligne qui convient, puis appuyez sur Entrée.",
  privateAgree: "Sur l’ordinateur à joindre, collez cette ligne, puis appuyez sur Entrée.",
  privateHeading: "Un ordinateur avec rdv",
  privateStep:
    "Le programme rdv doit y être installé\u00A0; demandez comment à la personne qui vous a invité.",
  shellHeading: "macOS ou Linux",
  shellStep: "Ouvrez le programme nommé Terminal.",
  powershellHeading: "Windows",
  powershellStep: "Ouvrez le programme nommé PowerShell.",
  lineLabel: (system) => `Ligne pour ${system}`,
  copy: "Copier",
  copyLabel: (system) => `Copier la ligne pour ${system}`,
  copied: "Copié",
  notCopied: "Sélectionné\u00A0: appuyez sur Ctrl-C ou ⌘C pour copier",
  afterwards:
    "Ces détails s’affichent une dernière fois, et rien ne commence avant que vous tapiez y pour oui (yes). Laissez ensuite la fenêtre ouverte\u00A0: elle annonce chaque connexion, à son début et à sa fin.",
  elsewhere: (url) => `S’agit-il d’un autre ordinateur\u00A0? Ouvrez-y cette adresse\u00A0: ${url}`,
  stopHeading: "Comment arrêter",
  stop: [
    "Appuyez sur Ctrl-C dans cette fenêtre, ou fermez-la. Toutes les connexions sont coupées aussitôt, et il n’en reste rien.",
    "Tout s’arrête aussi de soi-même à l’heure indiquée plus haut.",
  ],
  cannotHeading: "Ce que cela ne peut pas faire",
  cannot: (target) => [
    `Joindre autre chose que ${target}\u00A0: aucun autre service, aucun autre ordinateur de votre réseau.`,
    "Contourner un mot de passe\u00A0: ce qui en demande un aujourd’hui le demandera toujours.",
    "Installer ou modifier quoi que ce soit, ni redémarrer de soi-même.",
    "Servir à quelqu’un d’autre\u00A0: le code vaut pour un seul ordinateur, une seule fois.",
  ],
  about: "rdv rend un service accessible, pour un temps, avec votre accord.",
  services: {
    ssh: {
      name: "SSH, la ligne de commande à distance",
      power:
        "Il faut encore un nom d’utilisateur, et un mot de passe ou une clé, que votre ordinateur accepte. Une fois connectée, la personne peut faire ce que peut cet utilisateur.",
    },
    vnc: {
      name: "VNC, votre écran",
      power:
        "Qui est connecté voit votre écran, et peut déplacer la souris et taper au clavier, selon ce que permet votre programme de partage d’écran.",
    },
    rdp: {
      name: "Bureau à distance",
      power:
        "Il faut encore un nom d’utilisateur et un mot de passe que votre ordinateur accepte. Une fois connectée, la personne peut faire ce que peut cet utilisateur.",
    },
    http: {
      name: "Un serveur web",
      power:
        "La personne peut ouvrir les pages qu’offre ce serveur, comme vous dans un navigateur sur cet ordinateur.",
    },
    postgres: {
      name: "Une base de données PostgreSQL",
      power:
        "Il faut encore un utilisateur que la base accepte. Une fois connectée, la personne peut faire ce que peut cet utilisateur.",
    },
  },
  otherService: {
    name: "Un service réseau",
    power: "La personne peut l’utiliser comme tout programme de cet ordinateur.",
  },
  used: {
    title: "Cette invitation a déjà servi",
    paragraphs: [
      "Chaque code vaut pour un seul ordinateur, une seule fois.",
      "C’était vous, et la connexion s’est interrompue\u00A0? Collez de nouveau la même ligne sur le même ordinateur. Si elle est refusée, demandez une nouvelle invitation.",
      "Ce n’était pas vous\u00A0? Prévenez la personne qui vous a invité\u00A0: quelqu’un d’autre s’est servi du code. Ouvrir cette page n’a rien rendu accessible.",
    ],
  },
  unknown: {
    title: "Cette invitation n’est pas valable",
    paragraphs: [
      "L’adresse a peut-être été mal recopiée, ou l’invitation est terminée.",
      "Comparez le code avec la personne qui vous a invité, ou demandez une nouvelle invitation. Ouvrir cette page n’a rien rendu accessible.",
    ],
  },
};
